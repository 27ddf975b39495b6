/** What a proxy says, as entries of systemd's journal: `journalctl HEDDLE_KIND=access HEDDLE_DST=orders.default`. */
import { printable, printableJson } from "../base/printable.ts";
import { journalPriorities, type JournalFields } from "../systemd/journal.ts";
import type { AccessEntry } from "../telemetry/access_log.ts";

const shared = { SYSLOG_IDENTIFIER: "heddle" } as const;

/** A thing that the proxy says of itself. */
export function entryOfText(text: string): JournalFields {
  return {
    MESSAGE: printable(`proxy: ${text}`),
    PRIORITY: String(journalPriorities.info),
    ...shared,
    HEDDLE_KIND: "log",
  };
}

/** The line as its message, and each of its fields that is a single value as a field. */
export function entryOfAccess({ line, text, record }: AccessEntry): JournalFields {
  const fields = Object.entries(line).flatMap(([name, value]): [string, string][] =>
    value === undefined || typeof value === "object"
      ? []
      : [[`HEDDLE_${name.toUpperCase()}`, printable(String(value))]],
  );
  return {
    MESSAGE: printableJson(text),
    PRIORITY: String(priorityOf(record)),
    ...shared,
    HEDDLE_KIND: "access",
    ...Object.fromEntries(fields),
  };
}

/** Who is at fault: nobody, the caller, or something behind. */
function priorityOf({ outcome, status }: AccessEntry["record"]): number {
  const { error, warning, info } = journalPriorities;
  if (outcome?.side === "downstream") return warning;
  return outcome !== null || status >= 500 ? error : info;
}
