/**
 * Places services in layers: callers to the left of whom they call, as far as calls run in no circle; in a layer so that lines cross
 * little, and lines that pass a layer in a gap of it. What has no calls stands apart, below. Pure, and the same for the same input.
 */

export interface Link {
  readonly from: string;
  readonly to: string;
  /** How much it matters: where calls run in a circle, the one that matters least leads back. */
  readonly rate: number;
}

export interface Spot {
  readonly id: string;
  /** Of its middle. */
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  readonly spots: ReadonlyMap<string, Spot>;
  /** Where the line of a link passes layers, by `from>to`; one that passes none is not in it. */
  readonly bends: ReadonlyMap<string, readonly Spot[]>;
  readonly width: number;
  readonly height: number;
}

export const spotSize = { width: 172, height: 46 } as const;
const [stepX, gapY, laneHeight, between] = [spotSize.width + 92, 16, 14, 40];
const sweeps = 12;
/** Of more services only layers and order count: their lines are seen from afar. */
const lanesMax = 80;

/** A service in a layer, or the lane of a line that passes it. */
interface Item {
  readonly id: string;
  readonly isLane: boolean;
  readonly before: Item[];
  readonly after: Item[];
  /** In its layer, 0 to 1. */
  at: number;
}

/** `aspect`: width by height of the screen. What is seen from afar is drawn apart until it fills it. */
export function layoutOf(ids: readonly string[], links: readonly Link[], aspect = 1.6): Layout {
  const sorted = [...new Set(ids)].sort();
  const known = new Set(sorted);
  const own = links.filter(({ from, to }) => from !== to && known.has(from) && known.has(to));
  const linked = new Set(own.flatMap(({ from, to }) => [from, to]));
  const inside = sorted.filter((id) => linked.has(id));
  const { layers, lanes } = layersOf(inside, own, inside.length <= lanesMax);
  settle(layers);
  const columns =
    inside.length <= lanesMax ? layers : layers.flatMap((layer) => chunksOf(layer, inside.length));
  const height = Math.max(0, ...columns.map(heightOf));
  const spots = new Map<string, Spot>();
  const laneSpots = new Map<string, Spot>();
  columns.forEach((column, at) => {
    let top = (height - heightOf(column)) / 2;
    for (const item of column) {
      const size = item.isLane ? laneHeight : spotSize.height;
      const spot = { id: item.id, x: at * stepX + spotSize.width / 2, y: top + size / 2 };
      (item.isLane ? laneSpots : spots).set(item.id, spot);
      top += size + gapY;
    }
  });
  placeApart(
    spots,
    sorted.filter((id) => !linked.has(id)),
    { below: height === 0 ? 0 : height + between, across: columns.length },
  );
  const all = [...spots.values()];
  const bends = [...lanes].map(
    ([link, passed]) => [link, passed.flatMap((id) => laneSpots.get(id) ?? [])] as const,
  );
  const size = {
    width: Math.max(0, ...all.map(({ x }) => x)) + spotSize.width / 2,
    height: Math.max(0, ...all.map(({ y }) => y)) + spotSize.height / 2,
  };
  const layout: Layout = { spots, bends: new Map(bends), ...size };
  return inside.length <= lanesMax ? layout : stretched(layout, size.width / size.height / aspect);
}

const stretchMax = 5;

/** Lower or narrower than the screen by that factor: drawn apart the other way. */
function stretched({ spots, bends, width, height }: Layout, factor: number): Layout {
  const [byX, byY] = [
    Math.min(stretchMax, Math.max(1, 1 / factor)),
    Math.min(stretchMax, Math.max(1, factor)),
  ];
  const apart = [...spots.values()].map(({ id, x, y }) => [id, { id, x: x * byX, y: y * byY }] as const);
  return { spots: new Map(apart), bends, width: width * byX, height: height * byY };
}

function placeApart(
  spots: Map<string, Spot>,
  ids: readonly string[],
  { below, across }: { readonly below: number; readonly across: number },
): void {
  const columns = Math.max(across, Math.ceil(Math.sqrt(ids.length / 2)), 1);
  ids.forEach((id, at) => {
    const [column, row] = [at % columns, Math.floor(at / columns)];
    const x = column * stepX + spotSize.width / 2;
    spots.set(id, { id, x, y: below + row * (spotSize.height + gapY) + spotSize.height / 2 });
  });
}

function heightOf(column: readonly Item[]): number {
  return column.reduce((sum, { isLane }) => sum + (isLane ? laneHeight : spotSize.height) + gapY, -gapY);
}

/** The longest way from whoever nobody calls, by links that lead forward. */
function layersOf(
  ids: readonly string[],
  links: readonly Link[],
  withLanes: boolean,
): { layers: Item[][]; lanes: ReadonlyMap<string, readonly string[]> } {
  const order = orderOf(ids, links);
  const place = new Map(order.map((id, at) => [id, at]));
  const forward = links.filter(({ from, to }) => (place.get(from) ?? 0) < (place.get(to) ?? 0));
  const byCaller = Map.groupBy(forward, ({ from }) => from);
  const layer = new Map(order.map((id) => [id, 0]));
  const layerOf = (id: string): number => layer.get(id) ?? 0;
  for (const from of order)
    for (const { to } of byCaller.get(from) ?? []) layer.set(to, Math.max(layerOf(to), layerOf(from) + 1));
  // Whoever nobody calls stands right before those it calls.
  const called = new Set(forward.map(({ to }) => to));
  for (const id of order.filter((each) => !called.has(each)))
    layer.set(id, Math.min(...(byCaller.get(id) ?? []).map(({ to }) => layerOf(to) - 1), Infinity));
  const layers: Item[][] = [];
  const items = new Map<string, Item>();
  const add = (id: string, at: number, isLane: boolean): Item => {
    const item: Item = { id, isLane, before: [], after: [], at: 0 };
    (layers[at] ??= []).push(item);
    return item;
  };
  for (const id of order) {
    const at = layerOf(id);
    items.set(id, add(id, Number.isFinite(at) ? at : 0, false));
  }
  const lanes = new Map<string, string[]>();
  for (const { from, to } of forward) {
    const passed = withLanes ? range(layerOf(from) + 1, layerOf(to)) : [];
    const key = `${from}>${to}`;
    if (passed.length > 0)
      lanes.set(
        key,
        passed.map((at) => `${key}@${at}`),
      );
    const between = passed.map((at) => add(`${key}@${at}`, at, true));
    const way = [items.get(from), ...between, items.get(to)].filter((item) => item !== undefined);
    way.forEach((item, at) => {
      const next = way[at + 1];
      if (next === undefined) return;
      item.after.push(next);
      next.before.push(item);
    });
  }
  // One may be left empty.
  return { layers: layers.filter((layer) => layer.length > 0), lanes };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);
}

/**
 * An order in which most of what is called leads forward: whoever calls nobody goes to the end, whoever nobody calls to the front, and
 * where neither is left, whoever calls the most beyond what it is called (Eades, Lin and Smyth 1993).
 */
function orderOf(ids: readonly string[], links: readonly Link[]): string[] {
  const [calls, called] = [Map.groupBy(links, ({ from }) => from), Map.groupBy(links, ({ to }) => to)];
  const left = new Set(ids);
  const [front, back]: [string[], string[]] = [[], []];
  const weight = (all: readonly Link[] | undefined, end: "from" | "to"): number =>
    (all ?? []).reduce((sum, link) => sum + (left.has(link[end]) ? 1 + Math.log1p(link.rate) : 0), 0);
  const out = (id: string): number => weight(calls.get(id), "to");
  const into = (id: string): number => weight(called.get(id), "from");
  while (left.size > 0) {
    const [remaining, size] = [[...left], left.size];
    for (const id of remaining.filter((each) => out(each) === 0)) {
      back.push(id);
      left.delete(id);
    }
    for (const id of remaining.filter((each) => left.has(each) && into(each) === 0)) {
      front.push(id);
      left.delete(id);
    }
    if (left.size < size) continue;
    const best = remaining.reduce((one, other) =>
      out(other) - into(other) > out(one) - into(one) ? other : one,
    );
    front.push(best);
    left.delete(best);
  }
  return [...front, ...back.reverse()];
}

/** Orders each layer by the middles of its neighbours, to and fro. */
function settle(layers: readonly Item[][]): void {
  const number = (layer: readonly Item[]): void =>
    layer.forEach((item, at) => (item.at = (at + 0.5) / layer.length));
  layers.forEach(number);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const isForth = sweep % 2 === 0;
    for (const layer of isForth ? layers : layers.toReversed()) {
      const middle = new Map(layer.map((item) => [item, meanOf(isForth ? item.before : item.after, item)]));
      layer.sort((a, b) => (middle.get(a) ?? 0) - (middle.get(b) ?? 0) || (a.id < b.id ? -1 : 1));
      number(layer);
    }
  }
}

function meanOf(items: readonly Item[], own: Item): number {
  return items.length === 0 ? own.at : items.reduce((sum, { at }) => sum + at, 0) / items.length;
}

/** A layer that is too tall, as several columns: dealt out in turn, so that what was neighbours stays at one height. */
function chunksOf(layer: readonly Item[], count: number): Item[][] {
  const tallest = Math.max(8, Math.ceil(Math.sqrt(count) * 1.4));
  const columns = Math.ceil(layer.length / tallest);
  return Array.from({ length: columns }, (_, column) => layer.filter((_item, at) => at % columns === column));
}

/** What is reached from one within so many links, either way. */
export function around(id: string, links: readonly Pick<Link, "from" | "to">[], hops: number): Set<string> {
  const found = new Set([id]);
  for (let hop = 0; hop < hops; hop++) {
    const edge = new Set(found);
    for (const { from, to } of links) {
      if (edge.has(to)) found.add(from);
      if (edge.has(from)) found.add(to);
    }
  }
  return found;
}
