/** Small parts that several pages show. */
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import type { AskingFailed } from "./session.ts";
import { signs, type Health } from "./health.ts";
import { linkTo } from "./router.ts";
import * as html from "./tags.ts";
import { shortKey } from "./words.ts";

export function sign(health: Health, words: string): VNode {
  return html.span(
    { class: `sign ${health}`, title: words, role: "img", "aria-label": words },
    signs[health],
  );
}

export function badge(health: Health | "plain", words: string, title = ""): VNode {
  const mark = health === "plain" ? null : html.span({ class: "mark", "aria-hidden": "true" }, signs[health]);
  return html.span({ class: `badge ${health}`, ...(title === "" ? {} : { title }) }, mark, words);
}

export function serviceLink(key: string): VNode {
  if (key === "") return html.span({ class: "muted" }, "unknown");
  return html.a({ href: linkTo("services", key), class: "name" }, shortKey(key));
}

export function card(
  heading: ComponentChildren,
  aside: ComponentChildren,
  ...children: ComponentChildren[]
): VNode {
  return html.section(
    { class: "card" },
    html.div({ class: "card-head" }, html.h2(null, heading), html.div({ class: "aside" }, aside)),
    ...children,
  );
}

export function empty(words: string, hint = ""): VNode {
  return html.div(
    { class: "empty" },
    html.p(null, words),
    hint === "" ? null : html.p({ class: "muted" }, hint),
  );
}

export function problemBox({ message, hint, status }: AskingFailed): VNode {
  const over =
    status === 401 ? "Type heddle dashboard on the controller's machine, and open the link it prints." : hint;
  return html.div(
    { class: "problem", role: "alert" },
    html.strong(null, message),
    over === "" ? null : html.p(null, over),
  );
}

/** A line of the last hour; its numbers stand beside it. */
export function spark(points: readonly number[], words: string): VNode {
  const [width, height] = [96, 22];
  const top = Math.max(...points, 0.001);
  const at = (value: number, index: number): string =>
    `${((index / Math.max(1, points.length - 1)) * width).toFixed(1)} ${(height - 2 - (value / top) * (height - 4)).toFixed(1)}`;
  const line = points.map(at).join("L");
  return html.svg(
    { class: "spark", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words },
    points.length < 2
      ? null
      : [
          html.path({ class: "area", d: `M0 ${height}L${line}L${width} ${height}Z` }),
          html.path({ class: "line", d: `M${line}` }),
        ],
  );
}

export interface Column<Row> {
  readonly name: string;
  /** What sorting goes by; absent: it does not. */
  readonly by?: (row: Row) => number | string;
  readonly show: (row: Row) => ComponentChildren;
  readonly number?: boolean;
  /** What is left out where there is little room (`wide`), or very little (`spare`). */
  readonly room?: "wide" | "spare";
}

interface TableProps<Row> {
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly label: string;
  /** Name of the column that it is sorted by at first; a `-` before it: the largest first. */
  readonly sorted?: string;
}

/** Rows that are shown at once: more come by a button. */
const rowsShown = 400;

function SortedTable<Row>({ columns, rows, keyOf, label, sorted = "" }: TableProps<Row>): VNode {
  const [order, setOrder] = useState(sorted);
  const [shown, setShown] = useState(rowsShown);
  const falling = order.startsWith("-");
  const by = columns.find(({ name }) => name === order.replace(/^-/, ""))?.by;
  const inOrder =
    by === undefined ? rows : rows.toSorted((x, y) => (falling ? -1 : 1) * compare(by(x), by(y)));
  const heads = columns.map(({ name, number, room, by: sorts }) => {
    const now = order.replace(/^-/, "") === name ? (falling ? "descending" : "ascending") : "none";
    const next = now === "none" ? (number === true ? `-${name}` : name) : falling ? name : `-${name}`;
    return html.th(
      { class: classes(number, room), scope: "col", "aria-sort": now },
      sorts === undefined
        ? name
        : html.button(
            { class: "sort", type: "button", onClick: () => setOrder(next) },
            name,
            html.span({ class: "arrow", "aria-hidden": "true" }, now === "none" ? "" : falling ? "▾" : "▴"),
          ),
    );
  });
  const bodies = inOrder.slice(0, shown).map((row) =>
    html.tr(
      { key: keyOf(row) },
      columns.map(({ show, number, room }) => html.td({ class: classes(number, room) }, show(row))),
    ),
  );
  const more = inOrder.length - shown;
  return html.div(
    { class: "table-box", tabIndex: 0, role: "region", "aria-label": label },
    html.table(null, html.thead(null, html.tr(null, heads)), html.tbody(null, bodies)),
    more > 0
      ? html.button(
          { class: "more", type: "button", onClick: () => setShown(shown + rowsShown) },
          `${more} more`,
        )
      : null,
  );
}

export function sortedTable<Row>(props: TableProps<Row>): VNode {
  return html.part(SortedTable<Row>, props);
}

function classes(number = false, room = ""): string {
  return `${number ? "number" : ""} ${room}`.trim();
}

function compare(x: number | string, y: number | string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}

/** One of a few: a group of buttons, of which one is pressed. */
export function choice<Value extends string>(
  name: string,
  options: Readonly<Record<Value, string>>,
  value: Value,
  choose: (value: Value) => void,
): VNode {
  return html.div(
    { class: "choice", role: "group", "aria-label": name },
    (Object.keys(options) as Value[]).map((each) =>
      html.button(
        { type: "button", "aria-pressed": each === value, onClick: () => choose(each) },
        options[each],
      ),
    ),
  );
}
