/** What a caller's proxy decides, as it stands now: routes, backends, endpoints, limits. */
import type { ComponentChildren, VNode } from "preact";
import type { CallerView, EndpointView } from "../../model/evidence.ts";
import type { Side } from "../../model/outcome.ts";
import { streamsText } from "../../model/stream_kind.ts";
import { badge, sortedTable, type Column } from "../parts.ts";
import { linkTo } from "../router.ts";
import * as html from "../tags.ts";
import { ageText, none, percentText, shortKey } from "../words.ts";

export const sideWords: Readonly<Record<Side, string>> = {
  downstream: "the caller",
  upstream: "the service that was called",
  mesh: "the mesh",
  policy: "a policy",
};

export function fact(name: string, ...value: ComponentChildren[]): VNode {
  return html.div(null, html.dt(null, name), html.dd(null, ...value));
}

const losersMax = 20;

/** Routes that it did not take, each with why. */
export function losersShown({ routes }: CallerView): VNode | null {
  const lost = routes.filter(({ chosen }) => !chosen);
  if (lost.length === 0) return null;
  const more = lost.length - losersMax;
  return fact(
    "Not",
    html.ul(
      null,
      lost
        .slice(0, losersMax)
        .map(({ name, because }) => html.li(null, html.span({ class: "name" }, name), ` ${because}`)),
      more > 0 ? html.li(null, `and ${more} more`) : null,
    ),
  );
}

export function callerViewShown({ backends, endpoints, endpointCount, live }: CallerView): VNode {
  const shares = backends.filter(
    ({ subset, invalid }) => backends.length > 1 || subset !== null || invalid !== null,
  );
  const more = endpointCount - endpoints.length;
  return html.div(
    null,
    html.dl(
      { class: "facts" },
      shares.length === 0
        ? null
        : fact(
            "Backends",
            html.ul(
              null,
              shares.map(({ service, subset, share, invalid }) =>
                html.li(
                  null,
                  `${percentText(share)} to ${shortKey(service)}${subset === null ? "" : `/${subset}`}`,
                  invalid === null ? "" : badge("bad", `not valid: ${invalid}`),
                ),
              ),
            ),
          ),
      live === null
        ? null
        : fact(
            "Limits",
            `${live.underWay} of ${live.underWayMax} requests under way, ${live.waiting} wait; ${live.retriesLeft} retries left`,
          ),
      streamsText(live?.streams ?? {}) === ""
        ? null
        : fact("Streams", `${streamsText(live?.streams ?? {})} open now: each holds its place until it ends`),
    ),
    endpoints.length === 0
      ? html.p({ class: "bad" }, "No instance is there")
      : sortedTable({
          columns: endpointColumns,
          rows: endpoints,
          keyOf: ({ id }) => id,
          label: "Instances as the caller's proxy sees them",
        }),
    more > 0 ? html.p({ class: "muted" }, `and ${more} more`) : null,
  );
}

const endpointColumns: readonly Column<EndpointView>[] = [
  {
    name: "State",
    by: ({ state }) => state,
    show: ({ state, reason }) =>
      badge(
        state === "ready" ? "good" : state === "probing" ? "warn" : "bad",
        reason === "" ? state : `${state} (${reason})`,
      ),
  },
  {
    name: "Machine",
    by: ({ machine }) => machine,
    show: ({ machine }) => html.a({ class: "name", href: linkTo("machines", machine) }, machine),
  },
  { name: "Zone", room: "wide", by: ({ zone }) => zone, show: ({ zone }) => zone || none },
  {
    name: "Under way",
    number: true,
    by: ({ pending }) => pending ?? 0,
    show: ({ pending }) => (pending === null ? none : String(pending)),
  },
  {
    name: "Load",
    number: true,
    room: "wide",
    by: ({ load }) => load ?? 0,
    show: ({ load }) => (load === null ? none : String(load)),
  },
  {
    name: "Probed in",
    number: true,
    room: "wide",
    show: ({ probeInMs }) => (probeInMs === 0 ? none : ageText(probeInMs)),
  },
];
