/** What `heddle top` shows: rows in order, narrowed, in columns that fit; and what its keys do. */
import { secondsText } from "../figures.ts";
import type { Paint } from "../terminal.ts";
import type { Text } from "../text.ts";
import { printable } from "../../base/printable.ts";
import type { TopRow } from "./rows.ts";

/** By what rows are sorted, in the order of the key that changes it. */
const sorts = ["rps", "success", "p99", "retries", "name"] as const;
export type Sort = (typeof sorts)[number];

export interface View {
  readonly sort: Sort;
  readonly reversed: boolean;
  /** Rows with this in one of their names; "" for all. */
  readonly narrow: string;
  /** It is being typed. */
  readonly typing: boolean;
  /** Rows above the first that is shown. */
  readonly skipped: number;
}

export const firstView: View = { sort: "rps", reversed: false, narrow: "", typing: false, skipped: 0 };

interface Column {
  readonly title: string;
  readonly width: number;
  readonly left?: boolean;
  readonly cell: (row: TopRow, paint: Paint) => Text;
}

/** From so many columns on caller, service and route have a column each. */
const wideFrom = 110;
const figureWidth = 8;

const figures: readonly Column[] = [
  { title: "SUCCESS", width: figureWidth, cell: ({ success }, paint) => shareText(success, paint) },
  {
    title: "RPS",
    width: figureWidth - 1,
    cell: ({ perSecond }) => perSecond.toFixed(perSecond < 10_000 ? 1 : 0),
  },
  { title: "P50", width: figureWidth - 2, cell: ({ p50 }) => secondsText(p50) },
  { title: "P95", width: figureWidth - 2, cell: ({ p95 }) => secondsText(p95) },
  { title: "P99", width: figureWidth - 2, cell: ({ p99 }) => secondsText(p99) },
  { title: "RETRY/S", width: figureWidth - 1, cell: ({ retriesPerSecond }) => retriesPerSecond.toFixed(1) },
  { title: "READY", width: figureWidth - 1, cell: endpointsText },
];

/** Lines of at most so many columns; the head first. */
export function tableLines(rows: readonly TopRow[], columns: number, paint: Paint): Text[] {
  const all = [...nameColumns(columns, rows), ...figures];
  const head = all.map(({ title, width, left }) => padded(title, title.length, width, left === true));
  return [
    paint.dim(head.join(" ").slice(0, columns)),
    ...rows.map((row) => all.map((column, at) => [at === 0 ? "" : " ", cellOf(column, row, paint)])),
  ];
}

/** Names that are too long lose their middle: neither who calls nor who is called goes missing. */
function nameColumns(columns: number, rows: readonly TopRow[]): readonly Column[] {
  const left = Math.max(12, columns - figures.reduce((sum, { width }) => sum + width + 1, 0));
  if (columns < wideFrom)
    return [{ title: "EDGE", width: left, left: true, cell: (row) => edgeWithin(row, left) }];
  const names = rows.map(({ from, to, route }) => [short(from), short(to), route || "-"].map(printable));
  const needs = ["FROM", "TO", "ROUTE"].map((title, at) =>
    names.reduce((most, row) => Math.max(most, (row[at] as string).length), title.length),
  );
  const [from = 0, to = 0] = sharesOf(needs, left - 2);
  return [
    { title: "FROM", width: from, left: true, cell: (row) => cutWithin(short(row.from), from) },
    { title: "TO", width: to, left: true, cell: (row) => cutWithin(short(row.to), to) },
    { title: "ROUTE", width: left - 2 - from - to, left: true, cell: ({ route }) => route || "-" },
  ];
}

/** Each what it needs, where that is more than there is room for, the largest less, and alike. */
function sharesOf(needs: readonly number[], room: number): number[] {
  const shares = needs.map(() => 0);
  let left = room;
  const inOrder = needs.map((_, at) => at).sort((a, b) => (needs[a] as number) - (needs[b] as number));
  inOrder.forEach((at, done) => {
    shares[at] = Math.min(needs[at] as number, Math.floor(left / (needs.length - done)));
    left -= shares[at] as number;
  });
  return shares;
}

function edgeWithin({ from, to, route }: TopRow, width: number): string {
  const names = [short(from), short(to), ...(route === "" ? [] : [route])].map(printable);
  const between = " > ".length + (route === "" ? 0 : 1);
  const shares = sharesOf(
    names.map((name) => name.length),
    width - between,
  );
  const [caller, called, rule] = names.map((name, at) => cutWithin(name, shares[at] as number));
  return `${caller} > ${called}${rule === undefined ? "" : ` ${rule}`}`;
}

/** Without its middle, where it is longer. */
function cutWithin(name: string, width: number): string {
  const plain = printable(name);
  if (plain.length <= width) return plain;
  const tail = Math.max(0, Math.floor((width - 1) / 2));
  const head = Math.max(0, width - 1 - tail);
  return `${plain.slice(0, head)}\u2026${tail === 0 ? "" : plain.slice(-tail)}`;
}

function cellOf({ width, left = false, cell }: Column, row: TopRow, paint: Paint): Text {
  const content = cell(row, paint);
  if (typeof content === "string") {
    const plain = printable(content);
    const cut = plain.length <= width ? plain : `${plain.slice(0, width - 1)}\u2026`;
    return padded(cut, cut.length, width, left);
  }
  // What is painted are figures, which fit.
  const plain = String(content);
  return [" ".repeat(Math.max(0, width - plain.length)), content];
}

function padded(content: string, length: number, width: number, left: boolean): string {
  const space = " ".repeat(Math.max(0, width - length));
  return left ? content + space : space + content;
}

function edgeName(row: TopRow): string {
  const { from, to, route } = row;
  const rule = route === "" ? "" : ` ${route}`;
  return `${short(from)} > ${short(to)}${rule}`;
}

/** Of the usual namespace by its name alone. */
function short(key: string): string {
  return key === "" ? "unknown" : key.replace(/\.default$/, "");
}

function shareText(success: number | null, paint: Paint): Text {
  if (success === null) return "-";
  const shown = `${(success * 100).toFixed(2)}%`;
  if (success >= 0.999) return paint.green(shown);
  return success >= 0.99 ? paint.yellow(shown) : paint.red(shown);
}

function endpointsText({ ready, endpoints, ejected }: TopRow, paint: Paint): Text {
  const shown = `${ready}/${endpoints}`;
  if (ready === 0) return paint.red(shown);
  return ejected > 0 || ready < endpoints ? paint.yellow(shown) : shown;
}

/** Those that are shown, in their order. */
export function chosenRows(rows: readonly TopRow[], { sort, reversed, narrow }: View): TopRow[] {
  const wanted = narrow.toLowerCase();
  const kept = rows.filter((row) => edgeName(row).toLowerCase().includes(wanted));
  const byName = (a: TopRow, b: TopRow): number => (edgeName(a) < edgeName(b) ? -1 : 1);
  const figure: Readonly<Record<Exclude<Sort, "name">, (row: TopRow) => number>> = {
    rps: ({ perSecond }) => -perSecond,
    success: ({ success }) => success ?? 2,
    p99: ({ p99 }) => -(p99 ?? -1),
    retries: ({ retriesPerSecond }) => -retriesPerSecond,
  };
  const sorted =
    sort === "name"
      ? kept.sort(byName)
      : kept.sort((a, b) => compare(figure[sort](a), figure[sort](b)) || byName(a, b));
  return reversed ? sorted.reverse() : sorted;
}

/** Infinity has its place, too. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

/** Rows of the table that a screen has room for. */
function roomOf({ rows }: Screen): number {
  return Math.max(1, rows - 4);
}

/** The same, scrolled no further than to the last row. */
export function withinRows(view: View, all: readonly TopRow[], screen: Screen): View {
  const most = Math.max(0, chosenRows(all, view).length - roomOf(screen));
  return view.skipped <= most ? view : { ...view, skipped: most };
}

/** Whom the figures are of. */
export interface Sources {
  readonly text: string;
  /** Some tell nothing: what is shown is not all. */
  readonly incomplete: boolean;
}

/** As many lines as the screen has. */
export function frameOf(
  all: readonly TopRow[],
  view: View,
  screen: Screen,
  { paint, about }: { readonly paint: Paint; readonly about: Sources },
): Text[] {
  const { columns, rows } = screen;
  const chosen = chosenRows(all, view);
  const room = roomOf(screen);
  const { skipped } = withinRows(view, all, screen);
  const shown = chosen.slice(skipped, skipped + room);
  const order = `${view.sort}${view.reversed ? " (reversed)" : ""}`;
  const narrow = view.narrow === "" ? "" : `, with "${view.narrow}"`;
  const part = shown.length < chosen.length ? ` (${skipped + 1}-${skipped + shown.length} here)` : "";
  const title = `heddle top: ${chosen.length} of ${all.length} edges${part}${narrow}, by ${order}`;
  const from = cutTo(about.text, columns);
  const keys = view.typing
    ? `/${view.narrow}_   Enter keeps it, Esc shows all`
    : "s sort  r reverse  / narrow  j k scroll  space b page  g G ends  q quit";
  const lines: Text[] = [
    cutTo(title, columns),
    about.incomplete ? paint.yellow(from) : paint.dim(from),
    ...tableLines(shown, columns, paint),
  ];
  while (lines.length < rows - 1) lines.push("");
  return [...lines.slice(0, rows - 1), paint.dim(cutTo(keys, columns))];
}

function cutTo(words: string, columns: number): string {
  const plain = printable(words);
  return plain.length <= columns ? plain : `${plain.slice(0, Math.max(0, columns - 1))}\u2026`;
}

/** The view after a key; null: it ends. */
export function pressed(view: View, key: string, screen: Screen): View | null {
  if (key === "\u0003") return null;
  if (view.typing) return typed(view, key);
  switch (key) {
    case "q":
      return null;
    case "s":
      return { ...view, sort: sorts[(sorts.indexOf(view.sort) + 1) % sorts.length] as Sort, skipped: 0 };
    case "r":
      return { ...view, reversed: !view.reversed, skipped: 0 };
    case "/":
      return { ...view, typing: true, narrow: "", skipped: 0 };
    case "\u001b":
      return { ...view, narrow: "" };
    case " ":
    case "\u001b[6~":
      return { ...view, skipped: view.skipped + roomOf(screen) };
    case "b":
    case "\u001b[5~":
      return { ...view, skipped: Math.max(0, view.skipped - roomOf(screen)) };
    case "g":
    case "\u001b[H":
      return { ...view, skipped: 0 };
    case "G":
    case "\u001b[F":
      return { ...view, skipped: Infinity };
    case "j":
    case "\u001b[B":
      return { ...view, skipped: view.skipped + 1 };
    case "k":
    case "\u001b[A":
      return { ...view, skipped: Math.max(0, view.skipped - 1) };
    default:
      return view;
  }
}

function typed(view: View, key: string): View {
  if (key === "\r" || key === "\n") return { ...view, typing: false };
  if (key === "\u001b") return { ...view, typing: false, narrow: "" };
  if (key === "\u007f" || key === "\b") return { ...view, narrow: view.narrow.slice(0, -1) };
  return /^[\x20-\x7e]+$/.test(key) && view.narrow.length < 60
    ? { ...view, narrow: view.narrow + key }
    : view;
}
