/** What finding the route of a request costs, among a thousand rules over two hundred hosts and among one: at most 1 µs more. */
import type { RouteMatch } from "../../src/model/document.ts";
import { RouteMatcher, type RouteQuestion } from "../../src/proxy/route/match_route.ts";
import { RouteTable } from "../../src/proxy/route/route_table.ts";
import { fieldsFrom } from "../../src/wire/head_fields.ts";
import { median } from "./rounds.ts";
import { note } from "./stage.ts";
import { barTable, row, tableHead } from "./tables.ts";

const hosts = 200;
const rulesPerHost = 5;
const findsPerBatch = 1_000;
/** Rules that are asked for in turn: so many stay in the caches of the processor, as a service under load has them there. */
const asked = 20;
const batches = 1_000;
const nanosBar = 1_000;

const hostOfRule = (at: number): string => `shop-${at % hosts}.example`;

/** Rules of each kind of path, for a host or for any. */
const kinds: Readonly<Record<string, (at: number) => RouteMatch>> = {
  "prefixes of hosts": (at) => matchOf("PathPrefix", `/v1/part-${Math.floor(at / hosts)}`, at),
  "exact paths of hosts": (at) => matchOf("Exact", `/v1/part-${Math.floor(at / hosts)}/item`, at),
  "expressions of hosts": (at) =>
    matchOf("RegularExpression", `^/v1/part-${Math.floor(at / hosts)}/[a-z]+$`, at),
  "prefixes of any host": (at) => matchOf("PathPrefix", `/v1/part-${at}`, null),
};

function matchOf(type: RouteMatch["path"]["type"], value: string, at: number | null): RouteMatch {
  return {
    path: { type, value },
    method: null,
    headers: [],
    ...(at === null ? {} : { host: hostOfRule(at) }),
  };
}

type Table = RouteTable<{ readonly matcher: RouteMatcher }>;

export function measureRoutes(): string[] {
  note("routes: a million for each kind, among a thousand rules and among one");
  const count = hosts * rulesPerHost;
  const rows = Object.entries(kinds).map(([name, kind]) => {
    const rules = Array.from({ length: count }, (_, at) => kind(at));
    const chosen = rules.filter((_, at) => at % (count / asked) === 0);
    const questions = chosen.map((rule) => questionFor(rule));
    const many: Table = tableOf(rules);
    const alone = chosen.map((rule) => tableOf([rule]));
    const nanos: [number[], number[]] = [[], []];
    for (let batch = -batches / 10; batch < batches; batch++) {
      const costs = [batchNanos(questions, (at) => alone[at] as Table), batchNanos(questions, () => many)];
      if (batch >= 0) costs.forEach((cost, at) => nanos[at]?.push(cost));
    }
    return { name, one: median(nanos[0]), many: median(nanos[1]) };
  });
  return [
    `Nanoseconds to find a route: medians of ${batches} batches of ${findsPerBatch}, of the only rule and of one of ${count} rules over ${hosts} hosts in turn.`,
    `Each request is for another rule than the one before, ${asked} of them in turn.`,
    "",
    ...tableHead(["1 rule", `${count} rules`, "more"]),
    ...rows.map(({ name, one, many }) =>
      row([name, one.toFixed(0), many.toFixed(0), (many - one).toFixed(0)]),
    ),
    "",
    ...barTable(
      rows.map(({ name, one, many }) => ({
        title: `${name}: one of ${count} − one of one`,
        ...{ wanted: nanosBar, measured: many - one, unit: " ns" },
      })),
    ),
  ];
}

function tableOf(rules: readonly RouteMatch[]): Table {
  return new RouteTable(rules.map((match) => ({ matcher: new RouteMatcher(match) })));
}

/** One that the rule is for. */
function questionFor({ path, host = "web.mesh" }: RouteMatch): RouteQuestion {
  const below = path.type === "RegularExpression" ? `${path.value.slice(1, -7)}item` : path.value;
  const target = path.type === "PathPrefix" ? `${below}/item` : below;
  return { method: "GET", target, path: target, authority: `${host}:80`, fields: fieldsFrom([]) };
}

function batchNanos(questions: readonly RouteQuestion[], tableAt: (at: number) => Table): number {
  let at = 0;
  const startedNs = Bun.nanoseconds();
  for (let find = 0; find < findsPerBatch; find++) {
    at = (at + 1) % questions.length;
    const found = tableAt(at).find(questions[at] as RouteQuestion, "");
    if (found === null) throw new Error(`No route was found for ${(questions[at] as RouteQuestion).target}`);
  }
  return (Bun.nanoseconds() - startedNs) / findsPerBatch;
}
