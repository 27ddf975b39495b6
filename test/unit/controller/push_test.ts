/** How long documents take to reach machines: what is measured, from when, and what is left out. */
import { expect, test } from "bun:test";
import { controllerPaths } from "../../../src/api/messages.ts";
import { pushHistogram } from "../../../src/app/controller_metrics.ts";
import { Publisher, type PushStage } from "../../../src/controller/publisher.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Snapshot } from "../../../src/model/snapshot.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { ManualClock } from "../../support/clock.ts";
import { ControllerUnderTest } from "../../support/controller_under_test.ts";
import { placeOf } from "../../support/control_place.ts";
import { hasPromtool, promtoolFindings } from "../../support/promtool.ts";

/** A publisher of one snapshot for all, whose version the test sets. */
class Publishing {
  readonly clock = new ManualClock();
  readonly pushes: [PushStage, number][] = [];
  version = "v1";
  readonly publisher = new Publisher({
    clock: this.clock,
    snapshotOf: () => ({ kind: "snapshot", snapshot: { version: this.version } as Snapshot }),
    missing: () => [],
    place: placeOf("10.0.0.1").now,
    pushed: (stage, ms) => void this.pushes.push([stage, ms]),
    connected: () => undefined,
    disconnected: () => undefined,
  });

  connect(node: string): ReadableStream {
    return this.publisher.subscribe(node, { version: this.version, uses: [] }).body as ReadableStream;
  }

  async documents(version: string): Promise<void> {
    this.version = version;
    this.publisher.changed(true);
    await this.clock.advance(limits.publishDebounceMs);
  }

  reply(node: string, version: string, error: string | null = null): void {
    this.publisher.replied(node, { version, error, certificates: [] });
  }
}

const gathering = limits.publishDebounceMs;

test("a revision is measured to when it is sent and to when it is acknowledged, for each machine", async () => {
  const publishing = new Publishing();
  publishing.connect("vm-1");
  publishing.connect("vm-2");
  await publishing.documents("v2");
  await publishing.clock.advance(20);
  publishing.reply("vm-2", "v2");
  await publishing.clock.advance(30);
  publishing.reply("vm-1", "v2");
  publishing.reply("vm-1", "v2");
  expect(publishing.pushes).toEqual([
    ["sent", gathering],
    ["sent", gathering],
    ["acknowledged", gathering + 20],
    ["acknowledged", gathering + 50],
  ]);
});

test("what waits to be gathered with other changes is sent when somebody looks at the machines", async () => {
  const publishing = new Publishing();
  publishing.connect("vm-1");
  publishing.version = "v2";
  publishing.publisher.changed(true);
  expect(publishing.publisher.state("vm-1").wanted).toBe("v1");
  publishing.publisher.flush();
  expect(publishing.publisher.state("vm-1").wanted).toBe("v2");
  await publishing.clock.advance(gathering);
  expect(publishing.pushes).toEqual([["sent", 0]]);
});

test("a machine that tells of kept traces too often is not heard, and hinders no other", async () => {
  const { publisher, clock } = new Publishing();
  expect(publisher.mayTellKept("vm-1")).toBe(true);
  expect(publisher.mayTellKept("vm-1")).toBe(false);
  expect(publisher.mayTellKept("vm-2")).toBe(true);
  await clock.advance(limits.keptTracesTellMs);
  expect(publisher.mayTellKept("vm-1")).toBe(true);
});

test("a burst counts from its first revision, and a machine that is behind once, from the first it lacks", async () => {
  const publishing = new Publishing();
  publishing.connect("vm-1");
  publishing.publisher.changed(true);
  await publishing.clock.advance(10);
  await publishing.documents("v2");
  await publishing.clock.advance(100);
  await publishing.documents("v3");
  publishing.reply("vm-1", "v2");
  publishing.reply("vm-1", "v3");
  expect(publishing.pushes).toEqual([
    ["sent", 10 + gathering],
    ["sent", gathering],
    ["acknowledged", 10 + gathering + 100 + gathering],
  ]);
});

test("what is no revision of documents, changes nothing for a machine, is refused or meets nobody is left out", async () => {
  const publishing = new Publishing();
  const stream = publishing.connect("vm-1");
  publishing.version = "v2";
  publishing.publisher.changed();
  await publishing.clock.advance(gathering);
  publishing.reply("vm-1", "v2");
  await publishing.documents("v2");
  expect(publishing.pushes).toEqual([]);
  await publishing.documents("v3");
  publishing.reply("vm-1", "v2", "it has a format of tomorrow");
  publishing.reply("vm-1", "v3");
  await publishing.documents("v4");
  await stream.cancel();
  publishing.reply("vm-1", "v4");
  await publishing.documents("v5");
  expect(publishing.pushes).toEqual([
    ["sent", gathering],
    ["sent", gathering],
  ]);
});

test("a controller tells of documents that are applied, and not of instances that come", async () => {
  const host = await ControllerUnderTest.start();
  const web = { name: "web", namespace: "default" };
  await host.addNode("vm-1", [web]);
  const reader = host.follow("vm-1", "", ["web.default"]);
  await reader.snapshot(1);
  const files = [{ file: "a.yaml", text: "{kind: Service, name: web, port: 80, protocol: http}" }];
  const body = { files, policies: [], prune: false, dryRun: false };
  await host.operator().call("POST", controllerPaths.documents, body);
  const { version } = await reader.snapshot(2);
  const machine = host.as("/node/vm-1");
  await machine.call("POST", controllerPaths.reply, { version, error: null, certificates: [] });
  await host.addInstance("vm-1", "web");
  await reader.snapshot(3);
  expect(host.pushes).toEqual(["sent", "acknowledged"]);
  host.close();
});

test("the histogram is in seconds, by stage", () => {
  const metrics = new Metrics();
  const pushed = pushHistogram(metrics);
  pushed("sent", 60);
  pushed("acknowledged", 80);
  pushed("acknowledged", 2_000);
  const text = metrics.expose();
  expect(text).toContain('heddle_config_push_seconds_bucket{stage="sent",le="0.1"} 1');
  expect(text).toContain('heddle_config_push_seconds_bucket{stage="acknowledged",le="1.0"} 1');
  expect(text).toContain('heddle_config_push_seconds_sum{stage="acknowledged"} 2.08');
  if (hasPromtool) expect(promtoolFindings(text)).toBe("");
});
