/** What a machine is sent when something changes: what changed, not the whole. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { controllerPaths, registryKeys } from "../../../src/api/messages.ts";
import type { SnapshotLine } from "../../../src/api/snapshot_messages.ts";
import type { Snapshot } from "../../../src/model/snapshot.ts";
import { patched } from "../../../src/model/snapshot_patch.ts";
import { isWhole } from "../../../src/model/snapshot_version.ts";
import { ControllerUnderTest } from "../../support/controller_under_test.ts";
import { testMs } from "../../support/patience.ts";

const names = Array.from({ length: 40 }, (_, at) => `s${String(at).padStart(2, "0")}`);
const uses = names.map((name) => `${name}.default`);
let host: ControllerUnderTest;

beforeAll(async () => {
  host = await ControllerUnderTest.start();
  await host.addNode("vm-1", [{ name: "s00", namespace: "default" }]);
  await host.addNode("vm-2", []);
  for (const name of names) await host.addInstance("vm-2", name);
  await apply(names);
}, testMs);
afterAll(() => host.close());

async function apply(wanted: readonly string[], text = ""): Promise<void> {
  const files = wanted.map((name) => ({
    file: `${name}.yaml`,
    text: `{kind: Service, name: ${name}, port: 80, protocol: http}${text}`,
  }));
  const body = { files, policies: [], prune: true, dryRun: false };
  await host.operator().call("POST", controllerPaths.documents, body);
}

/** A machine that takes patches, and what it makes of them. */
class Machine {
  readonly lines: SnapshotLine[] = [];
  readonly #client = host.as("/node/vm-1");
  readonly #stream;

  constructor(
    readonly version = "",
    path = `${controllerPaths.snapshots}?patches`,
  ) {
    const line = (message: unknown): void => {
      const { kind } = message as SnapshotLine;
      if (kind === "snapshot" || kind === "patch" || kind === "current")
        this.lines.push(message as SnapshotLine);
    };
    this.#stream = this.#client.stream(path, { line, ended: () => {} }, { version, uses });
  }

  async line(count: number): Promise<SnapshotLine> {
    await host.until(() => this.lines.length >= count);
    return this.lines[count - 1] as SnapshotLine;
  }

  async snapshot(count: number): Promise<Snapshot> {
    const line = await this.line(count);
    if (line.kind === "snapshot") return line.snapshot;
    if (line.kind !== "patch") throw new Error(`expected a snapshot, got ${line.kind}`);
    const { kind: _, ...patch } = line;
    return patched(await this.snapshot(count - 1), patch);
  }

  close(): void {
    this.#stream.close();
  }
}

describe("a machine that takes patches", () => {
  test("is sent the one service of which an instance changed, and makes of it what others are sent whole", async () => {
    const [machine, other] = [new Machine(), new Machine("", controllerPaths.snapshots)];
    const first = await machine.snapshot(1);
    await other.line(1);
    await host.addInstance("vm-2", "s07", false);
    const line = await machine.line(2);
    if (line.kind !== "patch") throw new Error(`expected a patch, got ${line.kind}`);
    expect(line.destinations.map(({ service }) => service.name)).toEqual(["s07"]);
    expect([line.from, line.gone, line.rest, line.absent]).toEqual([first.version, [], {}, []]);
    const whole = await other.line(2);
    const made = await machine.snapshot(2);
    expect(whole).toEqual({ kind: "snapshot", snapshot: made });
    expect(isWhole(made)).toBe(true);
    expect(JSON.stringify(line).length).toBeLessThan(JSON.stringify(whole).length / 10);
    machine.close();
    other.close();
  });

  test("is sent services that came, went or differ, with what else differs, and no more", async () => {
    const machine = new Machine();
    await machine.line(1);
    await apply([...names.slice(1, 39), "s40"], "\n# written otherwise");
    await host.until(() => machine.lines.length >= 2);
    const made = await machine.snapshot(machine.lines.length);
    expect(isWhole(made)).toBe(true);
    const changed = machine.lines
      .slice(1)
      .flatMap((line) =>
        line.kind === "patch" ? line.destinations.map(({ service }) => service.name) : [line.kind],
      );
    expect(changed).toEqual([]);
    expect(made.destinations.map(({ service }) => service.name)).toEqual(names.slice(1, 39));
    await apply(names);
    await host.until(() => machine.lines.length >= 3);
    machine.close();
  });

  test("that comes with what it should have is sent what changes from then on", async () => {
    const before = new Machine();
    const { version } = await before.snapshot(1);
    before.close();
    const machine = new Machine(version);
    expect((await machine.line(1)).kind).toBe("current");
    await host.addInstance("vm-2", "s09", false);
    expect(await machine.line(2)).toMatchObject({ kind: "patch", from: version });
    machine.close();
  });
});

test("a patch of another snapshot makes nothing that could be taken for whole", async () => {
  const machine = new Machine();
  const first = await machine.snapshot(1);
  await host.put(`${registryKeys.drains}vm-2`, JSON.stringify({ sinceMs: 1, by: "ada" }));
  const line = await machine.line(2);
  if (line.kind !== "patch") throw new Error(`expected a patch, got ${line.kind}`);
  expect(isWhole(patched(first, line))).toBe(true);
  expect(isWhole(patched({ ...first, node: "vm-9" }, line))).toBe(false);
  machine.close();
});
