/**
 * Three members of etcd, two machines of the control plane, two with apps: any one part is lost at a time, and calls go on. Each machine
 * of the control plane has a registry, a controller and a proxy.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import type { TokenAnswer } from "../../src/api/messages.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { startControlMachine, type ControlMachine } from "../support/control_machine.ts";
import { hasEtcd, startEtcd, type Etcd } from "../support/etcd.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";
import { SteadyLoad } from "../support/steady_load.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;
const first = 60;
const [firstAddress, secondAddress] = [addressOf(first), addressOf(first + 10)];

describe.skipIf(binaryMissing || !hasEtcd)(`a control plane of two${hasEtcd ? "" : " (needs etcd)"}`, () => {
  let etcd: Etcd;
  let mesh: Mesh;
  let second: ControlMachine;
  let load: SteadyLoad;

  beforeAll(async () => {
    etcd = await startEtcd({ members: 3 });
    const machines = [
      { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } } as const] },
      { name: "vm-b", services: [{ service: "web" } as const] },
    ];
    mesh = await startMesh({ documents, machines, store: etcd.url("corp"), addressFirst: first });
    second = await startControlMachine(mesh, "control-2", secondAddress, firstAddress);
    const machine = mesh.machine("vm-a");
    const call = () => callByName(machine, "caller", "web");
    await callUntil("it reaches web", call, ({ status }) => status === 200);
    const where = { host: machine.address, port: machine.httpPort("caller") };
    load = new SteadyLoad({ ...where, authority: "web.mesh", path: "/", connections: 4, everyMs: 8 }).start();
    await waitFor("every machine knows both controllers", () => (knownTo() === "3 of 4" ? true : null));
  }, testMs);

  afterAll(async () => {
    await load?.stop();
    await second?.stop();
    await mesh?.stop();
    await etcd?.stop();
  });

  /** The first machine of the control plane runs no proxy here. */
  function knownTo(): string {
    return /known to +(\d+ of \d+)/.exec(second.heddle("address", "list"))?.[1] ?? "";
  }

  /** Through one of the controllers; how long it took to apply it and until it was seen in an answer, ms. */
  async function changeBy(heddle: Mesh["heddle"], header: string): Promise<number> {
    const file = `${mesh.folder}/route.yaml`;
    const rule = `{split: {web: 100}, responseHeaders: {set: {x-change: "${header}"}}}`;
    writeFileSync(file, `{kind: HTTPRoute, name: web, service: web, rules: [${rule}]}`);
    const startedMs = performance.now();
    heddle("apply", "-f", file);
    const machine = mesh.machine("vm-a");
    const url = `http://${machine.address}:${machine.httpPort("caller")}/`;
    await waitFor(`the change ${header} is there`, async () => {
      const answer = await fetch(url, { headers: { host: "web.mesh" } });
      return answer.headers.get("x-change") === header ? true : null;
    });
    return performance.now() - startedMs;
  }

  test(
    "both controllers show every machine, whichever it follows",
    async () => {
      const shown = (heddle: Mesh["heddle"]): string[] =>
        (JSON.parse(heddle("status", "--output", "json")) as ReturnType<Mesh["status"]>).nodes
          .filter(({ connected }) => connected)
          .map(({ name }) => name);
      await waitFor("both show the same", () => {
        const [one, other] = [shown(mesh.heddle.bind(mesh)), shown(second.heddle)];
        return one.length === 3 && one.join() === other.join() ? true : null;
      });
    },
    testMs,
  );

  test(
    "of two joins with one token through both controllers one succeeds",
    async () => {
      const { token } = JSON.parse(
        mesh.heddle("token", "create", "--any-service", "--output", "json"),
      ) as TokenAnswer;
      const join = async (name: string, controller: string, at: number): Promise<boolean> => {
        const address = addressOf(at);
        const flags = ["--no-start", "--node", name, "--address", address, "--loopback", address];
        const child = Bun.spawn({
          cmd: [
            ...[binaryPath, "join", `${controller}:${ports.controller}`, token, ...flags],
            ...["--state", `${mesh.folder}/${name}`],
          ],
          stderr: "ignore",
        });
        return (await child.exited) === 0;
      };
      const joined = await Promise.all([join("twin-a", firstAddress, 90), join("twin-b", secondAddress, 91)]);
      expect(joined.filter(Boolean)).toHaveLength(1);
      mesh.heddle("node", "remove", joined[0] === true ? "twin-a" : "twin-b");
    },
    testMs,
  );

  test(
    "a change is delivered when controller and registry of one machine were killed, through the other, and back",
    async () => {
      await changeBy(mesh.heddle.bind(mesh), "both");
      await mesh.controller.kill();
      await mesh.registry.kill();
      const lostMs = await changeBy(second.heddle, "second alone");
      await mesh.registry.start();
      await mesh.controller.start();
      await second.controller.kill();
      await second.registry.kill();
      const backMs = await changeBy(mesh.heddle.bind(mesh), "first alone");
      await second.registry.start();
      await second.controller.start();
      console.log(`applied and delivered in ${Math.round(lostMs)} ms and ${Math.round(backMs)} ms`);
    },
    testMs,
  );

  test(
    "a registry alone may be lost, and a member of etcd with it",
    async () => {
      await mesh.registry.kill();
      await etcd.members[0]?.kill();
      await changeBy(mesh.heddle.bind(mesh), "no registry");
      etcd.members[0]?.start();
      await mesh.registry.start();
      await changeBy(second.heddle, "all again");
    },
    testMs,
  );

  test("no call failed meanwhile", async () => {
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.answered).toBeGreaterThan(100);
  });
});
