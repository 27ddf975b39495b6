/** One service: how it does, where it runs, and what documents say of it. */
import type { VNode } from "preact";
import {
  pagePaths,
  type EndpointRow,
  type RouteRow,
  type ServiceView,
} from "../../api/dashboard_messages.ts";
import { Chart } from "../charts.ts";
import { healthOfService, healthOfTraffic, signs, type Health } from "../health.ts";
import { lifeColumns } from "../life_columns.ts";
import { badge, card, empty, problemBox, sortedTable, type Column } from "../parts.ts";
import { usePolled } from "../polled.ts";
import { linkTo } from "../router.ts";
import * as html from "../tags.ts";
import { edgeTable } from "../traffic_tables.ts";
import {
  ageText,
  bytesText,
  countText,
  none,
  percentText,
  rateText,
  secondsText,
  shortKey,
} from "../words.ts";
import { rulesCard } from "./rules_card.ts";

export function ServicePage({ service }: { readonly service: string }): VNode {
  const { answer, problem } = usePolled<ServiceView>(pagePaths.services + encodeURIComponent(service));
  if (answer === null)
    return html.div(
      { class: "page" },
      problem === null ? html.div({ class: "loading" }, "Asking the controller…") : problemBox(problem),
    );
  return html.div(
    { class: "page service" },
    problem === null ? null : problemBox(problem),
    head(answer),
    figures(answer),
    charts(answer),
    html.div(
      { class: "columns" },
      card(
        "Called by",
        null,
        answer.callers.length === 0
          ? empty("Nobody called it in the last hour")
          : edgeTable(answer.callers, ["from"]),
      ),
      card(
        "Calls",
        null,
        answer.callees.length === 0
          ? empty("It called nobody in the last hour")
          : edgeTable(answer.callees, ["to"]),
      ),
    ),
    endpoints(answer),
    html.div({ class: "columns" }, routes(answer), rulesCard(answer)),
    html.div({ class: "columns" }, policies(answer), certificates(answer)),
    documents(answer),
  );
}

function head({ service, spiffeId, address, port }: ServiceView): VNode {
  const health = healthOfService(service);
  const [name = "", namespace = ""] = service.key.split(".");
  return html.div(
    { class: "head" },
    html.div(
      null,
      html.h1(
        null,
        html.span(
          { class: `sign ${health}`, title: health, role: "img", "aria-label": health },
          signs[health],
        ),
        shortKey(service.key),
      ),
      html.p(
        { class: "muted" },
        [
          service.declared ? service.protocol : "no document declares it",
          namespace === "default" ? "" : `namespace ${namespace}`,
          address === null ? "" : `${name}.mesh at ${address}:${port ?? 0}`,
        ]
          .filter((word) => word !== "")
          .join(" · "),
      ),
      spiffeId === "" ? null : html.code({ class: "id" }, spiffeId),
    ),
    html.div(
      { class: "actions" },
      html.a({ class: "plain", href: linkTo("", "", { look: "graph", focus: service.key }) }, "In the graph"),
      html.a({ class: "plain", href: linkTo("tap", "", { service: service.key }) }, "Live requests"),
      html.a({ class: "plain", href: linkTo("why", "", { to: service.key }) }, "Explain a call"),
    ),
  );
}

function figures({ service }: ServiceView): VNode {
  const { rate, success, p50, p95, p99, ready, ejected, instances, tcpOpen, bytesPerSecond } = service;
  const one = (name: string, value: string, health: Health = "idle", more = ""): VNode =>
    html.div(
      { class: "figure" },
      html.dt(null, name),
      html.dd({ class: health }, value, more === "" ? null : html.span({ class: "more-words" }, more)),
    );
  const lacking = ready - ejected < instances;
  return html.dl(
    { class: "figures" },
    one("Requests/s", rateText(rate)),
    one("Success", percentText(success), healthOfTraffic(service)),
    one("p50", secondsText(p50)),
    one("p95", secondsText(p95)),
    one("p99", secondsText(p99)),
    one(
      "Ready",
      `${ready - ejected}/${instances}`,
      instances > 0 && ready === 0 ? "bad" : lacking ? "warn" : "idle",
      ejected > 0 ? `${ejected} taken out` : "",
    ),
    one(
      tcpOpen > 0 ? "Open connections" : "Bytes/s",
      tcpOpen > 0 ? tcpOpen.toFixed(0) : bytesText(bytesPerSecond),
    ),
  );
}

function charts({ history, service }: ServiceView): VNode {
  const { stepMs, endMs, rate, success, p50, p95, p99, tcpOpen, bytesPerSecond } = history;
  if (rate.length === 0)
    return card(
      "Last hour",
      null,
      empty("Nothing was called here since the controller began to look", "It looks every 10 s"),
    );
  const failed = rate.map((each, at) => (each === null ? null : each * (1 - (success[at] ?? 1))));
  const common = { stepMs, endMs };
  const opaque = service.rate === 0 && rate.every((each) => each === null || each === 0);
  const byRequest = [
    html.part(Chart, {
      ...common,
      title: "Requests/s",
      least: 1,
      show: rateOr,
      words: `Now ${rateText(service.rate)}`,
      lines: [
        { name: "all", colour: "line-1", points: rate },
        { name: "failed", colour: "bad", dash: [4, 3], points: failed },
      ],
    }),
    html.part(Chart, {
      ...common,
      title: "Success",
      least: 0.98,
      most: 1,
      show: percentText,
      words: `Now ${percentText(service.success)}`,
      lines: [{ name: "good", colour: "good", points: success }],
    }),
    html.part(Chart, {
      ...common,
      title: "Latency",
      least: 0.001,
      show: secondsText,
      words: `Now p99 ${secondsText(service.p99)}`,
      lines: [
        { name: "p99", colour: "line-3", points: p99 },
        { name: "p95", colour: "line-2", dash: [6, 3], points: p95 },
        { name: "p50", colour: "line-1", points: p50 },
      ],
    }),
  ];
  const byConnection = [
    html.part(Chart, {
      ...common,
      title: "Open connections",
      least: 1,
      show: countOr,
      words: `Now ${service.tcpOpen}`,
      lines: [{ name: "open", colour: "line-1", points: tcpOpen }],
    }),
    html.part(Chart, {
      ...common,
      title: "Bytes/s, when connections end",
      least: 100,
      show: bytesOr,
      words: `Now ${bytesText(service.bytesPerSecond)}`,
      lines: [{ name: "both ways", colour: "line-2", points: bytesPerSecond }],
    }),
  ];
  return card(
    "Last hour",
    "as its callers see it; latency is to the end of the answer",
    html.div({ class: "charts" }, opaque ? byConnection : byRequest),
  );
}

const rateOr = (value: number | null): string => (value === null ? none : rateText(value));
const countOr = (value: number | null): string => (value === null ? none : value.toFixed(0));
const bytesOr = (value: number | null): string => (value === null ? none : bytesText(value));

const endpointColumns: readonly Column<EndpointRow>[] = [
  { name: "State", by: stateOf, show: stateBadge },
  {
    name: "Machine",
    by: ({ machine }) => machine,
    show: ({ machine }) => html.a({ class: "name", href: linkTo("machines", machine) }, machine),
  },
  {
    name: "Version",
    by: ({ labels }) => labels["version"] ?? "",
    show: ({ labels }) => labels["version"] ?? none,
  },
  { name: "Zone", by: ({ zone }) => zone, show: ({ zone }) => (zone === "" ? none : zone) },
  {
    name: "Proxy",
    room: "wide",
    by: ({ address }) => address,
    show: ({ address }) => html.code(null, address),
  },
  { name: "App port", room: "wide", number: true, show: ({ id }) => id.slice(id.lastIndexOf("/") + 1) },
  {
    name: "Why",
    show: ({ problem, ejectedBy }) =>
      problem !== ""
        ? problem
        : ejectedBy.map(({ machine, reason, probing, probeInMs }) =>
            html.div(
              null,
              `${machine} took it out (${reasons[reason] ?? reason})`,
              probing ? ", a request probes it now" : `, probes it in ${ageText(probeInMs)}`,
            ),
          ),
  },
];

const reasons: Readonly<Record<string, string>> = {
  streak: "failures in a row",
  connect: "no connection",
  rate: "too many failures",
};

function stateOf({ ready, drained, ejectedBy }: EndpointRow): string {
  if (!ready) return "0 not ready";
  if (drained) return "1 drained";
  return ejectedBy.length > 0 ? "1 ejected" : "2 ready";
}

function stateBadge({ ready, drained, ejectedBy }: EndpointRow): VNode {
  if (!ready) return badge("bad", "not ready");
  if (drained) return badge("warn", "drained", "heddle undrain brings it back");
  return ejectedBy.length > 0 ? badge("warn", `ejected by ${ejectedBy.length}`) : badge("good", "ready");
}

function endpoints({ endpoints: rows }: ServiceView): VNode {
  const body =
    rows.length === 0
      ? empty("No instance is registered", "heddle join or heddle attach brings one")
      : sortedTable({
          columns: endpointColumns,
          rows,
          keyOf: ({ id }) => id,
          label: "Instances",
          sorted: "State",
        });
  return card("Instances", countText(rows.length, "instance"), body);
}

const routeColumns: readonly Column<RouteRow & { at: number }>[] = [
  { name: "#", number: true, show: ({ at }) => at + 1 },
  { name: "Route", show: ({ name }) => html.span({ class: "name" }, name) },
  { name: "Takes", show: ({ match }) => match },
  {
    name: "Leads to",
    show: ({ backends }) =>
      backends.map(({ to, share, invalid }) =>
        html.div(
          { class: invalid === null ? "" : "bad" },
          `${shortKey(to).replace(".default/", "/")} ${percentText(share)}`,
          invalid === null ? "" : ` ✕ ${invalid}`,
        ),
      ),
  },
  {
    name: "With",
    show: ({ settings, policies }) =>
      [...settings, ...policies.map((name) => `policy ${name}`)].join(", ") || none,
  },
];

function routes({ routes: all }: ServiceView): VNode {
  const rows = all.map((route, at) => ({ ...route, at }));
  const body =
    rows.length === 0
      ? empty("No route: every request goes to its instances")
      : sortedTable({ columns: routeColumns, rows, keyOf: ({ at }) => String(at), label: "Routes" });
  return card("Routes", rows.length === 0 ? null : "the first that matches wins", body);
}

function policies({ policies: all }: ServiceView): VNode {
  const body =
    all.length === 0
      ? empty("No policy of its own", "Those of a route stand there")
      : html.ul(
          { class: "list" },
          all.map(({ name, version, onError, hooks, options }) =>
            html.li(
              null,
              html.strong(null, name),
              ` ${version} `,
              badge("plain", `on error ${onError}`),
              " ",
              html.span({ class: "muted" }, hooks.join(", ")),
              options === "{}" ? null : html.code({ class: "block" }, options),
            ),
          ),
        );
  return card("Policies", null, body);
}

function certificates({ certificates: all, nowMs }: ServiceView): VNode {
  const rows = all.map((each) => ({ ...each, nowMs }));
  const body =
    rows.length === 0
      ? empty("No machine told of a certificate yet")
      : sortedTable({
          columns: certificateColumns,
          rows,
          keyOf: ({ machine }) => machine,
          label: "Certificates",
        });
  return card("Certificates", "renewed at half of their life", body);
}

const certificateColumns: readonly Column<ServiceView["certificates"][number] & { nowMs: number }>[] = [
  {
    name: "Machine",
    by: ({ machine }) => machine,
    show: ({ machine }) => html.a({ class: "name", href: linkTo("machines", machine) }, machine),
  },
  ...lifeColumns,
];

function documents({ documents: all }: ServiceView): VNode | null {
  if (all.length === 0) return null;
  return card(
    "Documents",
    "as they were applied",
    all.map(({ kind, name, text }) =>
      html.details(
        { key: `${kind}/${name}` },
        html.summary(null, `${kind} ${name}`),
        html.pre({ tabIndex: 0 }, text),
      ),
    ),
  );
}
