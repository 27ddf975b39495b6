/** A dashboard for Grafana: how the mesh does, its services, edges, policies, and the proxies themselves. */
import { families } from "../../telemetry/families.ts";

const { requests, requestDurationSeconds, firstByteSeconds, attempts, ejections, endpoints } = families;
const { policyDurationSeconds, policyErrors, policyCpuSeconds, streamsOpen, tcpOpen } = families;
const { identityExpirySeconds, configAgeSeconds, configVersion, limitTrips, loopDelaySeconds } = families;
const { processResidentMemoryBytes, processCpuSeconds, processOpenFds, access } = families;
const { otlpDropped, accessLogDropped } = families;

interface Query {
  readonly expr: string;
  /** What a line is called. */
  readonly legend: string;
}

interface PanelPlan {
  readonly title: string;
  readonly words?: string;
  readonly kind?: "timeseries" | "stat" | "table";
  readonly unit?: string;
  readonly width: number;
  readonly queries: readonly Query[];
}

interface RowPlan {
  readonly title: string;
  readonly height: number;
  readonly panels: readonly PanelPlan[];
}

const datasource = { type: "prometheus", uid: "${datasource}" };
const chosen = `direction="$direction",service=~"$service"`;
const by = (labels: string, metric: string, labelled = chosen): string =>
  `sum by (${labels}) (rate(${metric}{${labelled}}[$__rate_interval]))`;
const ended = `${requestDurationSeconds.name}_count`;
const success = (labels: string): string =>
  `1 - (${by(labels, ended, `${chosen},class="failure"`)} or 0 * ${by(labels, ended)}) / ${by(labels, ended)}`;
const quantile = (share: number, metric: string, labels = "", labelled = chosen): string =>
  `histogram_quantile(${share}, ${by(labels === "" ? "le" : `le, ${labels}`, `${metric}_bucket`, labelled)})`;
const quantiles = (metric: string): Query[] =>
  [0.5, 0.95, 0.99].map((share) => ({ expr: quantile(share, metric), legend: `p${share * 100}` }));

const rows: readonly RowPlan[] = [
  {
    title: "The chosen services",
    height: 8,
    panels: [
      {
        title: "Success",
        words: "Requests without a status of 500 and above, a flag, or a failure of gRPC",
        kind: "stat",
        unit: "percentunit",
        width: 4,
        queries: [{ expr: success("direction"), legend: "success" }],
      },
      {
        title: "Requests",
        kind: "stat",
        unit: "reqps",
        width: 4,
        queries: [{ expr: by("direction", requests.name), legend: "requests" }],
      },
      {
        title: "Duration",
        words: "From the request's head to the end of the answer",
        unit: "s",
        width: 8,
        queries: quantiles(requestDurationSeconds.name),
      },
      {
        title: "First byte",
        words: "From the request's head to the head of the answer",
        unit: "s",
        width: 8,
        queries: quantiles(firstByteSeconds.name),
      },
    ],
  },
  {
    title: "Services",
    height: 8,
    panels: [
      {
        title: "Requests by service",
        unit: "reqps",
        width: 8,
        queries: [{ expr: by("service", requests.name), legend: "{{service}}" }],
      },
      {
        title: "Success by service",
        unit: "percentunit",
        width: 8,
        queries: [{ expr: success("service"), legend: "{{service}}" }],
      },
      {
        title: "p99 by service",
        unit: "s",
        width: 8,
        queries: [{ expr: quantile(0.99, requestDurationSeconds.name, "service"), legend: "{{service}}" }],
      },
      {
        title: "What went wrong",
        words: "By flag: heddle explain flags",
        unit: "reqps",
        width: 12,
        queries: [
          {
            expr: by("service, flags", requests.name, `${chosen},flags!=""`),
            legend: "{{service}} {{flags}}",
          },
        ],
      },
      {
        title: "Denied by access rules",
        unit: "reqps",
        width: 12,
        queries: [
          {
            expr: by("service, verdict, rule", access.name, `service=~"$service",verdict!="allow"`),
            legend: "{{service}} {{verdict}} {{rule}}",
          },
        ],
      },
    ],
  },
  {
    title: "Edges and routes",
    height: 9,
    panels: [
      {
        title: "Who calls whom",
        kind: "table",
        width: 12,
        queries: [{ expr: by("peer, service, tls", requests.name), legend: "" }],
      },
      {
        title: "Routes",
        words: "Effective: what callers saw. Attempts say what it took",
        kind: "table",
        width: 12,
        queries: [{ expr: by("service, route, code", requests.name, `${chosen},route!=""`), legend: "" }],
      },
    ],
  },
  {
    title: "Instances",
    height: 8,
    panels: [
      {
        title: "Endpoints by state",
        width: 8,
        queries: [
          {
            expr: `sum by (service, state) (${endpoints.name}{service=~"$service"})`,
            legend: "{{service}} {{state}}",
          },
        ],
      },
      {
        title: "Attempts by cause",
        unit: "reqps",
        width: 8,
        queries: [
          {
            expr: by("service, cause", attempts.name, `service=~"$service"`),
            legend: "{{service}} {{cause}}",
          },
        ],
      },
      {
        title: "Ejections",
        width: 8,
        queries: [
          {
            expr: `sum by (service, reason) (increase(${ejections.name}{service=~"$service"}[$__rate_interval]))`,
            legend: "{{service}} {{reason}}",
          },
        ],
      },
      {
        title: "Open streams and connections",
        width: 24,
        queries: [
          {
            expr: `sum by (service, kind) (${streamsOpen.name}{${chosen}})`,
            legend: "{{service}} {{kind}}",
          },
          { expr: `sum by (service) (${tcpOpen.name}{${chosen}})`, legend: "{{service}} opaque" },
        ],
      },
    ],
  },
  {
    title: "Policies",
    height: 8,
    panels: [
      {
        title: "p99 of a decision",
        unit: "s",
        width: 8,
        queries: [
          {
            expr: quantile(0.99, policyDurationSeconds.name, "policy, hook", `service=~"$service"`),
            legend: "{{policy}} {{hook}}",
          },
        ],
      },
      {
        title: "Processor time",
        words: "Seconds of processor time a second",
        width: 8,
        queries: [
          {
            expr: `sum by (policy) (rate(${policyCpuSeconds.name}[$__rate_interval]))`,
            legend: "{{policy}}",
          },
        ],
      },
      {
        title: "Failures",
        width: 8,
        queries: [
          {
            expr: `sum by (policy, kind) (rate(${policyErrors.name}[$__rate_interval]))`,
            legend: "{{policy}} {{kind}}",
          },
        ],
      },
    ],
  },
  {
    title: "Proxies",
    height: 8,
    panels: [
      {
        title: "Processor time",
        width: 6,
        queries: [
          {
            expr: `rate(${processCpuSeconds.name}{heddle_mode!=""}[$__rate_interval])`,
            legend: "{{instance}}",
          },
        ],
      },
      {
        title: "Memory",
        unit: "bytes",
        width: 6,
        queries: [{ expr: `${processResidentMemoryBytes.name}{heddle_mode!=""}`, legend: "{{instance}}" }],
      },
      {
        title: "Event loop, p99 of lateness",
        unit: "s",
        width: 6,
        queries: [
          {
            expr: `histogram_quantile(0.99, sum by (instance, le) (rate(${loopDelaySeconds.name}_bucket[$__rate_interval])))`,
            legend: "{{instance}}",
          },
        ],
      },
      {
        title: "Descriptors",
        width: 6,
        queries: [{ expr: `${processOpenFds.name}{heddle_mode!=""}`, legend: "{{instance}}" }],
      },
      {
        title: "Limits that ended, refused or slowed something",
        width: 12,
        queries: [
          {
            expr: `sum by (instance, limit) (rate(${limitTrips.name}[$__rate_interval]))`,
            legend: "{{instance}} {{limit}}",
          },
        ],
      },
      {
        title: "Telemetry that was lost",
        width: 12,
        queries: [
          {
            expr: `sum by (instance, signal, reason) (rate(${otlpDropped.name}[$__rate_interval]))`,
            legend: "{{instance}} {{signal}} {{reason}}",
          },
          {
            expr: `sum by (instance, limit) (rate(${accessLogDropped.name}[$__rate_interval]))`,
            legend: "{{instance}} lines {{limit}}",
          },
        ],
      },
    ],
  },
  {
    title: "Configuration and certificates",
    height: 8,
    panels: [
      {
        title: "Since the controller was heard",
        unit: "s",
        width: 8,
        queries: [{ expr: configAgeSeconds.name, legend: "{{instance}}" }],
      },
      {
        title: "Versions in force",
        words: "More than one for long: machines do not follow",
        width: 8,
        queries: [{ expr: `count by (version) (${configVersion.name})`, legend: "{{version}}" }],
      },
      {
        title: "Certificates: time left",
        unit: "s",
        width: 8,
        queries: [
          { expr: `min by (id, instance) (${identityExpirySeconds.name})`, legend: "{{id}} {{instance}}" },
        ],
      },
    ],
  },
];

function panel({ title, words = "", kind = "timeseries", unit = "short", queries }: PanelPlan) {
  return {
    type: kind,
    title,
    description: words,
    datasource,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: queries.map(({ expr, legend }, at) => ({
      refId: String.fromCharCode(65 + at),
      datasource,
      expr,
      legendFormat: legend,
      exemplar: kind === "timeseries" && expr.includes("_bucket"),
      ...(kind === "table" ? { format: "table", instant: true } : {}),
    })),
  };
}

/** Rows below each other; panels beside each other until a row of 24 is full. */
function placed(): object[] {
  const all: object[] = [];
  let top = 0;
  for (const { title, height, panels } of rows) {
    all.push({ type: "row", title, collapsed: false, panels: [], gridPos: { x: 0, y: top, w: 24, h: 1 } });
    top += 1;
    let x = 0;
    for (const each of panels) {
      if (x + each.width > 24) {
        x = 0;
        top += height;
      }
      all.push({ ...panel(each), gridPos: { x, y: top, w: each.width, h: height } });
      x += each.width;
    }
    top += height;
  }
  return all.map((each, at) => ({ id: at + 1, ...each }));
}

export function grafanaDashboard(): string {
  const dashboard = {
    title: "heddle",
    uid: "heddle-mesh",
    tags: ["heddle"],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus", label: "Prometheus" },
        {
          name: "direction",
          type: "custom",
          label: "as seen by",
          query: "callers : outbound, services : inbound",
          current: { text: "callers", value: "outbound" },
        },
        {
          name: "service",
          type: "query",
          datasource,
          query: { query: `label_values(${requests.name}, service)`, refId: "service" },
          refresh: 2,
          multi: true,
          includeAll: true,
          allValue: ".*",
          current: { text: "All", value: "$__all" },
        },
      ],
    },
    panels: placed(),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
