/** How old certificates are, and how long they live: columns of every table of them. */
import { healthOfLife } from "./health.ts";
import { badge, type Column } from "./parts.ts";
import { ageText } from "./words.ts";

export interface Life {
  readonly issuedMs: number;
  readonly notAfterMs: number;
  readonly nowMs: number;
}

export const lifeColumns: readonly Column<Life>[] = [
  {
    name: "Age",
    number: true,
    by: ({ issuedMs }) => -issuedMs,
    show: ({ issuedMs, nowMs }) => ageText(nowMs - issuedMs),
  },
  {
    name: "Ends in",
    number: true,
    by: ({ notAfterMs }) => notAfterMs,
    show: ({ issuedMs, notAfterMs, nowMs }) =>
      badge(
        healthOfLife(issuedMs, notAfterMs, nowMs),
        notAfterMs <= nowMs ? "ended" : ageText(notAfterMs - nowMs),
      ),
  },
];
