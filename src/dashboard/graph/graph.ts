/** The services of the mesh and who calls whom, drawn: near by each service is a card, from afar a spot with its name where there is room. */
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { EdgeRow, ServiceRow } from "../../api/dashboard_messages.ts";
import { healthOfService, healthOfTraffic, signs, type Health } from "../health.ts";
import * as html from "../tags.ts";
import { percentText, rateText, secondsText, shortKey } from "../words.ts";
import { layoutOf, spotSize, type Layout, type Spot } from "./layout.ts";
import { cardScale, useViewport, type Moving } from "./viewport.ts";

export interface GraphProps {
  readonly services: readonly ServiceRow[];
  readonly edges: readonly EdgeRow[];
  /** The one that all is about; "" for none. */
  readonly focus: string;
  readonly choose: (key: string) => void;
  readonly open: (key: string) => void;
}

/** Names of services that are not busy are told beside no more than so many. */
const namesMax = 60;
const panPixels = 60;

export function Graph(props: GraphProps): VNode {
  const { services, edges, focus } = props;
  const shows = `${services.map(({ key }) => key).join()}|${edges.map(({ from, to }) => `${from}>${to}`).join()}`;
  const layout = useMemo(
    () =>
      layoutOf(
        services.map(({ key }) => key),
        edges,
        innerWidth / Math.max(200, innerHeight - 120),
      ),
    [shows],
  );
  const moving = useViewport(layout, shows);
  const [near, setNear] = useState("");
  return html.div(
    {
      class: "graph",
      ref: moving.box,
      ...moving.handlers,
      onKeyDown: (event: KeyboardEvent) => pressed(event, moving, layout),
    },
    drawing(props, { layout, moving, centre: near === "" ? focus : near, setNear }),
    zoomButtons(moving),
  );
}

interface Drawing {
  readonly layout: Layout;
  readonly moving: Moving;
  /** What it is about just now: it and what it touches is lit. */
  readonly centre: string;
  readonly setNear: (key: string) => void;
}

function drawing(props: GraphProps, { layout, moving, centre, setNear }: Drawing): VNode {
  const { services, edges, focus } = props;
  const { view, size, isPulled } = moving;
  const touches = ({ from, to }: EdgeRow): boolean => from === centre || to === centre;
  const lit = new Set([centre, ...edges.filter(touches).flatMap(({ from, to }) => [from, to])]);
  const named = view.scale >= cardScale ? null : namesShown(services, layout, view.scale, lit);
  // What is lit stands above the rest.
  const inOrder = edges.toSorted((a, b) => Number(touches(a)) - Number(touches(b)));
  const nodes = services.map((service) => {
    const spot = layout.spots.get(service.key);
    if (spot === undefined) return null;
    const isLit = centre !== "" && lit.has(service.key);
    const looks = named === null ? card(service) : dot(service, view.scale);
    const isFocus = service.key === focus;
    return node({ ...props, service, spot, isLit, isFocus, near: setNear, isPulled }, looks);
  });
  const names = services.map((service) => {
    const spot = named?.has(service.key) === true ? layout.spots.get(service.key) : undefined;
    return spot === undefined ? null : nameAfar(service, spot, view.scale);
  });
  const lines = inOrder.map((edge) => edgeLine(edge, layout, centre !== "" && touches(edge), view.scale));
  return html.svg(
    {
      viewBox: `${view.x} ${view.y} ${Math.max(1, size.width) / view.scale} ${Math.max(1, size.height) / view.scale}`,
      class: centre === "" ? "" : "dimmed",
      role: "group",
      "aria-label": "Services and who calls whom",
    },
    // Nothing is drawn before there is something to draw on.
    size.width === 0
      ? null
      : [
          html.g({ key: "edges", class: "edges" }, lines),
          html.g({ key: "nodes", class: "nodes" }, nodes),
          html.g({ key: "names", class: "names", "aria-hidden": "true" }, names),
        ],
  );
}

interface NodeProps extends GraphProps {
  readonly service: ServiceRow;
  readonly spot: Spot;
  readonly isLit: boolean;
  readonly isFocus: boolean;
  readonly near: (key: string) => void;
  readonly isPulled: () => boolean;
}

function node(
  { service, spot, isLit, isFocus, near, choose, open, isPulled }: NodeProps,
  looks: VNode,
): VNode {
  const { key } = service;
  return html.g(
    {
      key,
      id: `node-${key}`,
      class: `node ${healthOfService(service)}${isLit ? " lit" : ""}${isFocus ? " focus" : ""}`,
      transform: `translate(${spot.x} ${spot.y})`,
      tabIndex: 0,
      role: "button",
      "aria-label": nodeWords(service),
      onPointerEnter: () => near(key),
      onPointerLeave: () => near(""),
      onFocus: () => near(key),
      onBlur: () => near(""),
      onClick: () => {
        if (!isPulled()) choose(key);
      },
      onDblClick: () => open(key),
      onKeyDown: (event: KeyboardEvent) => {
        if (event.key === "Enter") open(key);
        else if (event.key === " ") choose(key);
        else return;
        event.preventDefault();
        event.stopPropagation();
      },
    },
    html.title(null, nodeWords(service)),
    looks,
  );
}

function nodeWords(service: ServiceRow): string {
  const { key, rate, success, p99, ready, instances, ejected } = service;
  const out = ejected === 0 ? "" : `, ${ejected} taken out`;
  return `${shortKey(key)}: ${healthOfService(service)}, ${rateText(rate)} requests/s, ${percentText(success)} good, p99 ${secondsText(p99)}, ${ready} of ${instances} ready${out}`;
}

function card(service: ServiceRow): VNode {
  const { key, rate, success, ready, instances, tcpOpen, ejected } = service;
  const { width, height } = spotSize;
  const name = shortKey(key);
  const traffic =
    success === null
      ? tcpOpen > 0
        ? `${tcpOpen.toFixed(0)} open`
        : "quiet"
      : `${rateText(rate)}/s  ${percentText(success)}`;
  return html.g(
    null,
    html.rect({ class: "box", x: -width / 2, y: -height / 2, width, height, rx: 8 }),
    html.text({ class: "health", x: -width / 2 + 15, y: 1 }, signs[healthOfService(service)]),
    html.text(
      { class: "label", x: -width / 2 + 28, y: -4 },
      name.length > 20 ? `${name.slice(0, 19)}…` : name,
    ),
    html.text({ class: "figures", x: -width / 2 + 28, y: 13 }, traffic),
    html.text(
      { class: `count${ready < instances || ejected > 0 ? " lacking" : ""}`, x: width / 2 - 9, y: 13 },
      `${ready - ejected}/${instances}`,
    ),
  );
}

function dot(service: ServiceRow, scale: number): VNode {
  const radius = radiusOf(service, scale);
  return html.g(
    null,
    html.circle({ class: "reach", r: Math.max(radius, 12 / scale) }),
    html.path({ class: "box", d: shapes[healthOfService(service)](radius) }),
  );
}

/** Colour is not all that tells them apart: trouble has corners. */
const shapes: Readonly<Record<Health, (radius: number) => string>> = {
  good: round,
  idle: round,
  warn: (r) => `M0 ${-r * 1.5}L${r * 1.5} ${r * 1.1}H${-r * 1.5}z`,
  bad: (r) => `M0 ${-r * 1.6}L${r * 1.6} 0L0 ${r * 1.6}L${-r * 1.6} 0z`,
};

function round(r: number): string {
  return `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

/** It stands above every spot: of one size on the screen, whatever the scale. */
function nameAfar(service: ServiceRow, spot: Spot, scale: number): VNode {
  const size = 11 / scale;
  return html.text(
    {
      key: service.key,
      class: "label afar",
      x: spot.x + radiusOf(service, scale) + 3 / scale,
      y: spot.y + size * 0.35,
      style: { fontSize: `${size}px`, strokeWidth: `${3 / scale}px` },
    },
    shortKey(service.key),
  );
}

function radiusOf({ rate }: ServiceRow, scale: number): number {
  return Math.min(26, (3.2 + Math.log10(1 + rate) * 1.8) / scale);
}

/** Trouble first, then the busiest; never two over one another. */
function namesShown(
  services: readonly ServiceRow[],
  { spots }: Layout,
  scale: number,
  lit: ReadonlySet<string>,
): Set<string> {
  const weight = (service: ServiceRow): number => {
    const health = healthOfService(service);
    return (
      (lit.has(service.key) ? 1e12 : 0) +
      (health === "bad" ? 1e9 : health === "warn" ? 1e8 : 0) +
      service.rate
    );
  };
  const taken: { x: number; y: number; width: number }[] = [];
  const named = new Set<string>();
  for (const service of services.toSorted((a, b) => weight(b) - weight(a))) {
    if (named.size >= namesMax) break;
    const spot = spots.get(service.key);
    if (spot === undefined) continue;
    const [x, y, width] = [spot.x * scale, spot.y * scale, 20 + shortKey(service.key).length * 6.4];
    const meets = taken.some(
      (other) => Math.abs(other.y - y) < 14 && x < other.x + other.width && other.x < x + width,
    );
    if (meets) continue;
    taken.push({ x, y, width });
    named.add(service.key);
  }
  return named;
}

function edgeLine(edge: EdgeRow, layout: Layout, isLit: boolean, scale: number): VNode | null {
  const [from, to] = [layout.spots.get(edge.from), layout.spots.get(edge.to)];
  if (from === undefined || to === undefined || from === to) return null;
  const isNear = scale >= cardScale;
  const half = isNear ? spotSize.width / 2 : 0;
  const bends = layout.bends.get(`${edge.from}>${edge.to}`) ?? [];
  const d = bends.length > 0 || to.x > from.x ? lineForward(from, bends, to, half) : lineBack(from, to, half);
  const flows = edge.rate > 0 || edge.tcpOpen > 0;
  const width = (flows ? 1.2 + Math.log10(1 + edge.rate) * 0.9 : 1) / Math.max(scale, 0.35);
  const local = edge.secure !== null && edge.secure < 0.5;
  const middle = bends[Math.floor(bends.length / 2)] ?? { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  return html.g(
    {
      key: `${edge.from}>${edge.to}`,
      class: `edge ${healthOfTraffic(edge)}${isLit ? " lit" : ""}${local ? " local" : ""}`,
    },
    html.path({ d, "stroke-width": width }),
    html.path({ class: "arrow", d: arrowAt(to.x - half, to.y, Math.max(5, width * 2.2)) }),
    isLit && isNear
      ? edgeLabel(edge, middle.x, to.x > from.x ? middle.y : Math.max(from.y, to.y) + backDepth)
      : null,
  );
}

const backDepth = spotSize.height * 0.85;

/** Through the gaps that the layout left for it. */
function lineForward(from: Spot, bends: readonly Spot[], to: Spot, half: number): string {
  const points = [
    { x: from.x + half, y: from.y },
    ...bends.flatMap(({ x, y }) => [
      { x: x - spotSize.width / 2, y },
      { x: x + spotSize.width / 2, y },
    ]),
    { x: to.x - half, y: to.y },
  ];
  let d = `M${from.x + half} ${from.y}`;
  for (let at = 1; at < points.length; at++) {
    const [a, b] = [points[at - 1] as Spot, points[at] as Spot];
    const middle = (a.x + b.x) / 2;
    d += at % 2 === 0 ? `L${b.x} ${b.y}` : `C${middle} ${a.y} ${middle} ${b.y} ${b.x} ${b.y}`;
  }
  return d;
}

/** What leads back, or within a column, goes around below. */
function lineBack(from: Spot, to: Spot, half: number): string {
  const [x1, x2, out] = [from.x + half, to.x - half, 34];
  const low = Math.max(from.y, to.y) + backDepth;
  return `M${x1} ${from.y}C${x1 + out} ${from.y} ${x1 + out} ${low} ${x1 - 10} ${low}L${x2 + 10} ${low}C${x2 - out} ${low} ${x2 - out} ${to.y} ${x2} ${to.y}`;
}

function edgeLabel({ rate, success, tcpOpen }: EdgeRow, x: number, y: number): VNode {
  const words =
    success === null
      ? tcpOpen > 0
        ? `${tcpOpen.toFixed(0)} open`
        : "quiet"
      : `${rateText(rate)}/s${success === 1 ? "" : ` ${percentText(success)}`}`;
  return html.text({ class: "edge-label", x, y: y - 5 }, words);
}

function arrowAt(x: number, y: number, size: number): string {
  return `M${x} ${y}l${-size} ${-size * 0.55}v${size * 1.1}z`;
}

function zoomButtons({ zoom, fit }: Moving): VNode {
  const one = (name: string, words: string, does: () => void): VNode =>
    html.button({ class: "icon", type: "button", "aria-label": words, title: words, onClick: does }, name);
  return html.div(
    { class: "zoom" },
    one("+", "Zoom in (+)", () => zoom(1.4)),
    one("−", "Zoom out (-)", () => zoom(1 / 1.4)),
    one("⤢", "Show all (0)", fit),
  );
}

/** From a service the arrows lead to the next one there, from elsewhere they move the graph. */
function pressed(event: KeyboardEvent, moving: Moving, { spots }: Layout): void {
  const way = ways[event.key];
  const own = document.activeElement?.id.replace(/^node-/, "") ?? "";
  const from = spots.get(own);
  if (event.key === "+" || event.key === "=") moving.zoom(1.4);
  else if (event.key === "-") moving.zoom(1 / 1.4);
  else if (event.key === "0") moving.fit();
  else if (way === undefined) return;
  else if (from === undefined || event.shiftKey) moving.move(way.x * panPixels, way.y * panPixels);
  else document.getElementById(`node-${nextSpot(from, way, [...spots.values()])?.id ?? own}`)?.focus();
  event.preventDefault();
}

const ways: Readonly<Record<string, { readonly x: number; readonly y: number }>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** The nearest that lies that way; what lies aside counts as far. */
function nextSpot(
  from: Spot,
  way: { readonly x: number; readonly y: number },
  spots: readonly Spot[],
): Spot | null {
  let best: { spot: Spot; distance: number } | null = null;
  for (const spot of spots) {
    const [dx, dy] = [spot.x - from.x, spot.y - from.y];
    const ahead = dx * way.x + dy * way.y;
    const aside = Math.abs(dx * way.y) + Math.abs(dy * way.x);
    const distance = ahead + aside * 2;
    if (ahead > 1 && (best === null || distance < best.distance)) best = { spot, distance };
  }
  return best?.spot ?? null;
}
