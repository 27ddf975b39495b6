/** Who calls whom, as a graph and as tables: all of the mesh, what has trouble, or what is around one service. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { EdgeRow, MeshView, ServiceRow } from "../../api/dashboard_messages.ts";
import { Graph } from "../graph/graph.ts";
import { around } from "../graph/layout.ts";
import { healthOfService, healthOfTraffic } from "../health.ts";
import { choice, empty, serviceLink } from "../parts.ts";
import { go, linkTo, type Place } from "../router.ts";
import { edgeTable, serviceTable } from "../traffic_tables.ts";
import * as html from "../tags.ts";
import { countText, rateText } from "../words.ts";

type Which = "all" | "busy" | "trouble";
type Look = "graph" | "services" | "edges";

interface TopologyProps {
  readonly mesh: MeshView | null;
  readonly place: Place;
}

export function TopologyPage({ mesh, place }: TopologyProps): VNode {
  const look = (place.query.get("look") ?? (innerWidth < 700 ? "services" : "graph")) as Look;
  const which = (place.query.get("only") ?? "all") as Which;
  const focus = place.query.get("focus") ?? "";
  const [words, setWords] = useState("");
  if (mesh === null)
    return html.div({ class: "page" }, html.div({ class: "loading" }, "Asking the controller…"));
  const asked = { look: place.query.get("look") ?? "", only: which === "all" ? "" : which, focus };
  const to = (changes: Partial<typeof asked>): void => go(linkTo("", "", { ...asked, ...changes }), true);
  const { services, edges } = chosen(mesh, which, focus, words);
  return html.div(
    { class: `page topology ${look}` },
    html.div(
      { class: "bar" },
      html.h1({ class: "hidden" }, "Topology"),
      choice("View", { graph: "Graph", services: "Services", edges: "Calls" }, look, (next) =>
        to({ look: next }),
      ),
      choice("Which services", { all: "All", busy: "With traffic", trouble: "Trouble" }, which, (next) =>
        to({ only: next === "all" ? "" : next, focus: "" }),
      ),
      html.input({
        type: "search",
        class: "filter",
        placeholder: "Filter by name",
        "aria-label": "Filter by name",
        value: words,
        onInput: (event) => setWords(event.currentTarget.value),
      }),
      html.span({ class: "sum" }, sumText(mesh, services)),
    ),
    focus === "" ? null : focusBar(focus, to),
    notes(mesh),
    services.length === 0
      ? nothing(mesh, which)
      : shown(look, services, edges, focus, (key) => to({ focus: key === focus ? "" : key })),
  );
}

function shown(
  look: Look,
  services: readonly ServiceRow[],
  edges: readonly EdgeRow[],
  focus: string,
  choose: (key: string) => void,
): VNode {
  if (look === "services") return serviceTable(services);
  if (look === "edges") return edgeTable(edges);
  const open = (key: string): void => go(linkTo("services", key));
  return html.div(
    { class: "graph-box" },
    html.part(Graph, { services, edges, focus, choose, open }),
    legend(),
  );
}

function chosen(
  { services, edges }: MeshView,
  which: Which,
  focus: string,
  words: string,
): { services: readonly ServiceRow[]; edges: readonly EdgeRow[] } {
  const wanted = words.trim().toLowerCase();
  const reach = focus === "" ? null : around(focus, edges, 1);
  const touched = new Set(
    edges
      .filter((edge) => (which === "trouble" ? isTroubled(edge) : edge.rate > 0 || edge.tcpOpen > 0))
      .flatMap(({ from, to }) => [from, to]),
  );
  const fits = (service: ServiceRow): boolean => {
    if (reach !== null && !reach.has(service.key)) return false;
    if (wanted !== "" && !service.key.toLowerCase().includes(wanted)) return false;
    const isBad = ["bad", "warn"].includes(healthOfService(service));
    return which === "all" || touched.has(service.key) || (which === "trouble" && isBad);
  };
  const kept = services.filter(fits);
  const keys = new Set(kept.map(({ key }) => key));
  return { services: kept, edges: edges.filter(({ from, to }) => keys.has(from) && keys.has(to)) };
}

function isTroubled(edge: EdgeRow): boolean {
  return ["bad", "warn"].includes(healthOfTraffic(edge));
}

function sumText({ services, edges }: MeshView, kept: readonly ServiceRow[]): string {
  const rate = edges.reduce((sum, edge) => sum + edge.rate, 0);
  const count =
    kept.length === services.length
      ? countText(services.length, "service")
      : `${kept.length} of ${countText(services.length, "service")}`;
  return `${count}, ${rateText(rate)} requests/s`;
}

function focusBar(focus: string, to: (changes: { focus: string }) => void): VNode {
  return html.div(
    { class: "focus-bar" },
    html.span(null, "Around ", serviceLink(focus)),
    html.a({ href: linkTo("tap", "", { service: focus }) }, "live requests"),
    html.button({ type: "button", class: "plain", onClick: () => to({ focus: "" }) }, "Show all"),
  );
}

function nothing({ services }: MeshView, which: Which): VNode {
  if (services.length === 0)
    return empty(
      "There is no service yet",
      "heddle apply -f DIR declares services; heddle join and heddle attach bring instances",
    );
  return empty(which === "trouble" ? "Nothing has trouble" : "No service is like that");
}

function legend(): VNode {
  const item = (kind: string, words: string): VNode =>
    html.li(
      null,
      html.svg(
        { width: 26, height: 8, "aria-hidden": "true" },
        html.g({ class: `edge ${kind}` }, html.path({ d: "M1 4h24", "stroke-width": 2 })),
      ),
      words,
    );
  return html.ul(
    { class: "legend", "aria-label": "Lines" },
    item("good", "good"),
    item("warn", "below 99.9%"),
    item("bad", "below 99%"),
    item("idle", "quiet"),
    item("good local", "within a machine"),
  );
}

/** What is not in it. */
function notes({ left, machines: { silent } }: MeshView): (VNode | null)[] {
  const [first = "", ...others] = silent;
  const who =
    others.length === 0 ? `${first} tells` : `${first} and ${countText(others.length, "other machine")} tell`;
  return [
    silent.length === 0
      ? null
      : html.p(
          { class: "note" },
          `${who} nothing of what passes there: is heddle of an older version there?`,
        ),
    left === 0
      ? null
      : html.p(
          { class: "note" },
          `${countText(left, "call")} between services are counted nowhere: there are more than trafficEdgesMax, or trafficReadingEdgesMax from one machine`,
        ),
  ];
}
