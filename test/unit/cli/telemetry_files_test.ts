/** Files that `heddle telemetry files` writes: what they name is there, and Prometheus takes them. */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { parse } from "yaml";
import { telemetryFiles } from "../../../src/cli/telemetry_files/files.ts";
import { families } from "../../../src/telemetry/families.ts";
import { hasPromtool } from "../../support/promtool.ts";

const files = new Map(
  telemetryFiles("http://127.0.0.1:9465/v1/targets").map(({ name, text }) => [name, text]),
);
const textOf = (name: string): string => files.get(name) as string;
const folder = mkdtempSync(`${tmpdir()}/heddle-telemetry-files-`);
for (const [name, text] of files) writeFileSync(`${folder}/${name}`, text);
afterAll(() => rmSync(folder, { recursive: true }));

/** What promtool says where it is not content; "" where it is. */
function promtool(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8", cwd: folder });
  return status === 0 ? "" : `${stdout}${stderr}`;
}

test("each metric that they name exists, with the labels that they ask for", () => {
  const known = new Map(Object.values(families).map(({ name, labels }) => [name as string, labels]));
  for (const [file, text] of files) {
    const named = text.match(/(?<![\w:.-])(?:heddle|process)_[a-z_]+\b/g) ?? [];
    const wrong = named.filter((name) => {
      const family = name.replace(/_(bucket|count|sum)$/, "");
      return name !== "heddle_mode" && !known.has(name) && !known.has(family);
    });
    expect([file, wrong]).toEqual([file, []]);
  }
  // metric{label="…",label=~"…"}: labels of the metric, or those that targets have.
  for (const [, name = "", asked = ""] of textOf("heddle-rules.yml").matchAll(/(heddle_\w+)\{([^}]*)\}/g)) {
    const labels = known.get(name) ?? known.get(name.replace(/_(bucket|count|sum)$/, "")) ?? [];
    for (const [, label = ""] of asked.matchAll(/(\w+)(?:=|!)/g))
      expect([...labels, "heddle_mode", "instance"]).toContain(label);
  }
});

test("the dashboard has panels that do not overlap, each with a query", () => {
  interface Panel {
    readonly id: number;
    readonly type: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }
  const { panels } = JSON.parse(textOf("grafana-dashboard.json")) as { panels: readonly Panel[] };
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const [at, { type, targets, gridPos: one }] of panels.entries()) {
    if (type !== "row") expect(targets?.every(({ expr }) => expr.length > 0)).toBe(true);
    expect(one.x + one.w).toBeLessThanOrEqual(24);
    for (const { gridPos: other } of panels.slice(at + 1))
      expect(
        one.y + one.h <= other.y ||
          other.y + other.h <= one.y ||
          one.x + one.w <= other.x ||
          other.x + other.w <= one.x,
      ).toBe(true);
  }
});

test("the Collector's configuration has a pipeline for each kind, of parts that it names", () => {
  const { service, ...parts } = parse(textOf("otel-collector.yaml")) as {
    service: { pipelines: Record<string, Record<string, string[]>> };
  } & Record<string, Record<string, unknown>>;
  expect(Object.keys(service.pipelines)).toEqual(["traces", "metrics", "logs"]);
  for (const pipeline of Object.values(service.pipelines))
    for (const [kind, names] of Object.entries(pipeline))
      for (const name of names) expect(Object.keys(parts[kind] ?? {})).toContain(name);
});

const promtoolMissing = hasPromtool ? "" : " (skipped: there is no promtool)";

describe.skipIf(!hasPromtool)(`Prometheus${promtoolMissing}`, () => {
  test("takes the scrape configuration and the rules", () => {
    expect(promtool("check", "config", "prometheus.yml")).toBe("");
    expect(promtool("check", "rules", "heddle-rules.yml")).toBe("");
  });

  test("takes each query of the dashboard", () => {
    const panels = JSON.parse(textOf("grafana-dashboard.json")).panels as {
      targets?: { expr: string }[];
    }[];
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const rules = expressions.map((expr, at) => ({
      record: `query:${at}`,
      expr: expr
        .replaceAll("$__rate_interval", "5m")
        .replaceAll("$direction", "outbound")
        .replaceAll("$service", ".*"),
    }));
    writeFileSync(`${folder}/queries.yml`, JSON.stringify({ groups: [{ name: "queries", rules }] }));
    expect(promtool("check", "rules", "queries.yml")).toBe("");
  });

  test("alerts of what is wrong, and of nothing that is well", () => {
    const web = 'instance="vm-1",service="orders.default"';
    const edge = `direction="outbound",${web},peer="web.default",route=""`;
    const ended = (kind: string): string => `heddle_request_duration_seconds_count{${edge},class="${kind}"}`;
    const well = [
      { series: 'up{heddle_mode="proxy",instance="vm-1"}', values: "1x60" },
      { series: ended("success"), values: "0+600x60" },
      { series: `heddle_endpoints{${web},state="ready"}`, values: "3x60" },
      { series: `heddle_endpoints{${web},state="ejected"}`, values: "0x60" },
      { series: 'heddle_identity_expiry_seconds{instance="vm-1",id="x"}', values: "80000x60" },
      { series: 'heddle_config_age_seconds{instance="vm-1"}', values: "1x60" },
    ];
    const wrong = [
      { series: 'up{heddle_mode="proxy",instance="vm-2"}', values: "0x60" },
      { series: ended("success"), values: "0+540x60" },
      { series: ended("failure"), values: "0+60x60" },
      { series: `heddle_endpoints{${web},state="ready"}`, values: "0x60" },
      { series: `heddle_endpoints{${web},state="ejected"}`, values: "2x60" },
      { series: 'heddle_identity_expiry_seconds{instance="vm-1",id="x"}', values: "3600x60" },
      { series: 'heddle_config_age_seconds{instance="vm-1"}', values: "700x60" },
      {
        series: 'heddle_limit_trips_total{instance="vm-1",limit="h2ResetsMax",listener="inbound 7445"}',
        values: "0+60x60",
      },
    ];
    const severities = { critical: "critical", warning: "warning" };
    const fires = (
      alertname: string,
      severity: keyof typeof severities,
      labels: object,
      annotations: object,
    ) => ({
      eval_time: "30m",
      alertname,
      exp_alerts: [{ exp_labels: { severity, ...labels }, exp_annotations: annotations }],
    });
    const quiet = (alertname: string) => ({ eval_time: "30m", alertname, exp_alerts: [] });
    const names = textOf("heddle-rules.yml").match(/(?<=alert: )\w+/g) ?? [];
    const service = { instance: "vm-1", service: "orders.default" };
    const tests = {
      rule_files: ["heddle-rules.yml"],
      evaluation_interval: "1m",
      tests: [
        { interval: "1m", input_series: well, alert_rule_test: names.map(quiet) },
        {
          interval: "1m",
          input_series: wrong,
          alert_rule_test: [
            fires(
              "HeddleDown",
              "critical",
              { instance: "vm-2", heddle_mode: "proxy" },
              {
                summary: "vm-2 does not tell its metrics",
                next: "heddle status",
              },
            ),
            fires(
              "HeddleRequestsFail",
              "critical",
              { service: "orders.default" },
              {
                summary: "Of the requests to orders.default 90% end well",
                next: "heddle stat orders.default; heddle tap orders.default --flag any",
              },
            ),
            fires("HeddleNoReadyEndpoint", "critical", service, {
              summary: "vm-1 has no instance of orders.default to call",
              next: "heddle status",
            }),
            fires("HeddleEndpointsEjected", "warning", service, {
              summary: "vm-1 has taken out 100% of orders.default",
              next: "heddle status",
            }),
            fires(
              "HeddleCertificateEnds",
              "critical",
              { instance: "vm-1", id: "x" },
              {
                summary: "x on vm-1 ends in 1h 0m 0s and is not renewed",
                next: "heddle check",
              },
            ),
            fires(
              "HeddleControllerUnreached",
              "warning",
              { instance: "vm-1" },
              {
                summary: "vm-1 has heard nothing of the controller for 11m 40s",
                next: "heddle check",
              },
            ),
            fires(
              "HeddleLimitTrips",
              "warning",
              { instance: "vm-1", limit: "h2ResetsMax" },
              {
                summary: "vm-1 ends or refuses what others send it, by h2ResetsMax",
                next: "heddle explain h2ResetsMax",
              },
            ),
            quiet("HeddlePolicyQuarantined"),
          ],
        },
      ],
    };
    writeFileSync(`${folder}/tests.yml`, JSON.stringify(tests));
    expect(promtool("test", "rules", "tests.yml")).toBe("");
  });
});
