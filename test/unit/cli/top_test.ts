/** What `heddle top` draws, and what its keys do. */
import { describe, expect, test } from "bun:test";
import type { Pair } from "../../../src/app/edges.ts";
import {
  chosenRows,
  firstView,
  frameOf,
  pressed,
  withinRows,
  type View,
} from "../../../src/cli/top/frame.ts";
import { topRows, type TopRow } from "../../../src/cli/top/rows.ts";
import { FullScreen, Terminal } from "../../../src/cli/terminal.ts";
import { rendered } from "../../../src/cli/text.ts";
import type { MetricSeries } from "../../../src/model/reading.ts";
import { terminalUnderTest } from "../../support/terminal_under_test.ts";

const requests = (from: string, to: string, route: string, value: number, code = "200"): MetricSeries => ({
  name: "heddle_requests_total",
  labels: {
    direction: "outbound",
    service: to,
    peer: from,
    route,
    code,
    tls: "true",
    flags: "",
    grpc_code: "",
  },
  value,
});
const endpoints = (service: string, state: string, value: number): MetricSeries => ({
  name: "heddle_endpoints",
  labels: { service, state },
  value,
});
const attempts = (service: string, cause: string, value: number): MetricSeries => ({
  name: "heddle_attempts_total",
  labels: { service, cause, result: "ok" },
  value,
});

/** Two readings of one proxy, two seconds apart. */
const pair = (before: MetricSeries[], after: MetricSeries[]): Pair => [
  { atMs: 1_000, series: before },
  { atMs: 3_000, series: after },
];

const rows = topRows([
  pair(
    [requests("web.default", "orders.default", "orders/v1", 10), attempts("orders.default", "connect", 1)],
    [
      requests("web.default", "orders.default", "orders/v1", 30),
      requests("web.default", "orders.default", "orders/beta", 2, "503"),
      requests("batch.default", "db.shop", "", 100),
      attempts("orders.default", "connect", 5),
      attempts("orders.default", "first", 50),
      endpoints("orders.default", "ready", 2),
      endpoints("orders.default", "ejected", 1),
    ],
  ),
  pair([], [endpoints("orders.default", "ready", 3), endpoints("orders.default", "ejected", 0)]),
]);

const { paint } = new Terminal(terminalUnderTest({}).host);
const about = { text: "of 2 machines every 2s", incomplete: false };
const frame = (view: Partial<View>, columns: number, lines = 12): string[] =>
  frameOf(rows, { ...firstView, ...view }, { columns, rows: lines }, { paint, about }).map(rendered);

describe("the rows of top", () => {
  test("have each route of an edge with retries and instances of the service, as the proxy sees them that sees fewest", () => {
    expect(rows.map(({ to, route, perSecond, success }) => [to, route, perSecond, success])).toEqual([
      ["db.shop", "", 50, 1],
      ["orders.default", "orders/v1", 10, 1],
      ["orders.default", "orders/beta", 1, 0],
    ]);
    expect(rows[1]).toMatchObject({ retriesPerSecond: 2, ready: 2, ejected: 1, endpoints: 3 });
  });

  test("are sorted by what is asked for, either way, and narrowed to names", () => {
    const routes = (view: Partial<View>): string[] =>
      chosenRows(rows, { ...firstView, ...view }).map(({ route }) => route);
    expect(routes({ sort: "success" })[0]).toBe("orders/beta");
    expect(routes({ sort: "name" })).toEqual(["", "orders/beta", "orders/v1"]);
    expect(routes({ sort: "name", reversed: true })).toEqual(["orders/v1", "orders/beta", ""]);
    expect(routes({ narrow: "BETA" })).toEqual(["orders/beta"]);
  });
});

describe("the screen of top", () => {
  for (const columns of [20, 80, 109, 110, 140])
    test(`fits ${columns} columns, line by line`, () => {
      const lines = frame({}, columns);
      expect(lines.length).toBe(12);
      if (columns >= 80) expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      expect(lines.join("\n")).toContain("heddle top");
    });

  test("has one column for an edge where it is narrow, three where there is room", () => {
    expect(frame({}, 80)[2]).toMatch(/^EDGE +SUCCESS +RPS +P50 +P95 +P99 RETRY\/S +READY$/);
    expect(frame({}, 80)[4]).toMatch(/^web > orders orders\/v1 +100\.00% +10\.0 +- +- +- +2\.0 +2\/3$/);
    expect(frame({}, 140)[2]).toMatch(/^FROM +TO +ROUTE +SUCCESS/);
  });

  test("names both sides of an edge whatever room there is, and which rows of how many are shown", () => {
    const long = [requests("checkout-orchestrator-41.default", "recommendation-embedding-7.default", "", 9)];
    const many = Array.from({ length: 300 }, () => topRows([pair([], long)])[0] as TopRow);
    const shown = (columns: number): string[] =>
      frameOf(many, firstView, { columns, rows: 24 }, { paint, about }).map(rendered);
    expect(shown(80)[3]).toMatch(/^check\S*\u2026\S*41 > recom\S*\u2026\S*g-7 /);
    expect(shown(120)[3]).toMatch(/^checkout-orchestrator-41 +recommendation-embedding-7 +- /);
    expect(shown(80)[0]).toStartWith("heddle top: 300 of 300 edges (1-20 here)");
  });

  test("names those that tell nothing where it is narrow, too", () => {
    const narrow = { columns: 80, rows: 12 };
    const silent = { text: "of 2 machines every 2s; 2 silent: vm-1, vm-2", incomplete: true };
    const view = { ...firstView, narrow: "orders/v1", reversed: true };
    const lines = frameOf(rows, view, narrow, { paint, about: silent }).map(rendered);
    expect(lines[0]).toBe('heddle top: 1 of 3 edges, with "orders/v1", by rps (reversed)');
    expect(lines[1]).toBe("of 2 machines every 2s; 2 silent: vm-1, vm-2");
  });

  test("shows more rows than fit as it is scrolled, and never past the last", () => {
    expect(frame({}, 80, 6)[3]).toContain("db.shop");
    expect(frame({ skipped: 99 }, 80, 6)[3]).toContain("orders/v1");
  });

  test("is plain text whatever names say", () => {
    const nasty = topRows([pair([], [requests("w\u001b[2J", "o\n\u202e", "r\u009b", 1)])]);
    const options = { paint, about: { text: "vm\u001b[2J", incomplete: true } };
    const lines = frameOf(nasty, { ...firstView, narrow: "" }, { columns: 80, rows: 6 }, options).map(
      rendered,
    );
    for (const line of lines) expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  });

  test("is written anew only where it changed, and given back once", () => {
    const { host, out } = terminalUnderTest({});
    const screen = new FullScreen(host);
    const before = frame({}, 80);
    screen.show(before);
    screen.open();
    screen.show(before);
    const first = out().length;
    screen.show(before);
    expect(out().length).toBe(first);
    screen.show(before.map((line, at) => (at === 4 ? "other\u001b[2J" : line)));
    expect(out().slice(first)).toBe("\u001b[5;1Hother\\x1b[2J\u001b[K");
    screen.close();
    screen.close();
    screen.show(before);
    expect(out().split("\u001b[?1049l")).toEqual([expect.stringContaining("\u001b[?1049h"), ""]);
  });
});

describe("a key", () => {
  const screen = { columns: 80, rows: 24 };
  const after = (...keys: string[]): View | null =>
    keys.reduce<View | null>((view, key) => (view === null ? null : pressed(view, key, screen)), firstView);

  test("sorts, turns, scrolls or ends it", () => {
    expect(after("s")?.sort).toBe("success");
    expect(after("s", "s", "s", "s", "s")?.sort).toBe("rps");
    expect(after("r")?.reversed).toBe(true);
    expect(after("G", "r")?.skipped).toBe(0);
    expect(after("j", "\u001b[B", "k")?.skipped).toBe(1);
    expect(after("k")?.skipped).toBe(0);
    expect([after(" "), after(" ", "\u001b[6~", "b")].map((view) => view?.skipped)).toEqual([20, 20]);
    const last = withinRows(
      after("G") as View,
      Array.from({ length: 300 }, () => rows[0] as TopRow),
      screen,
    );
    expect([last.skipped, pressed(last, "k", screen)?.skipped]).toEqual([280, 279]);
    expect(after("G", "g")?.skipped).toBe(0);
    expect([after("q"), after("\u0003")]).toEqual([null, null]);
    expect(after("x")).toEqual(firstView);
  });

  test("is a letter of what rows are narrowed to once / was pressed, until Enter or Esc", () => {
    expect(after("/", "q", "s", "x", "\u007f")).toMatchObject({ typing: true, narrow: "qs" });
    expect(after("/", "q", "\r")).toMatchObject({ typing: false, narrow: "q" });
    expect(after("/", "q", "\u001b")).toMatchObject({ typing: false, narrow: "" });
    expect(after("/", "\u009b", "\u0007")).toMatchObject({ narrow: "" });
    expect(after("/", "q", "\u0003")).toBeNull();
  });
});
