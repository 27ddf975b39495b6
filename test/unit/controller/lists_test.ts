/** Lists for operators: whole however large what is listed is, in answers that their reader takes. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { controllerPaths, registryKeys, type StatusPage } from "../../../src/api/messages.ts";
import { readDocuments, readNodes, readStatus } from "../../../src/app/operator_lists.ts";
import { showStatus } from "../../../src/cli/status_command.ts";
import { Terminal } from "../../../src/cli/terminal.ts";
import type { ControlAnswer } from "../../../src/api/control.ts";
import { limits } from "../../../src/model/limits.ts";
import { labelBytesOf, type Instance, type Node } from "../../../src/model/service.ts";
import { ControllerUnderTest } from "../../support/controller_under_test.ts";
import { testMs } from "../../support/patience.ts";
import { amount } from "../../support/quick.ts";
import { terminalUnderTest } from "../../support/terminal_under_test.ts";

let host: ControllerUnderTest;
let requests: number;
beforeEach(async () => {
  host = await ControllerUnderTest.start();
  requests = 0;
});
afterEach(() => host.close());

/** Takes no larger answer than the real client does. */
const operator = {
  call: async (...[method, path, body]: Parameters<ReturnType<ControllerUnderTest["operator"]>["call"]>) => {
    requests++;
    const answer: ControlAnswer = await host.operator().call(method, path, body);
    const bytes = Buffer.byteLength(JSON.stringify(answer.body));
    if (bytes > limits.controlBodyBytesMax) throw new Error(`the answer to ${path} has ${bytes} bytes`);
    return answer;
  },
};

/** In few commits. */
async function putAll(entries: readonly (readonly [key: string, value: unknown])[]): Promise<void> {
  await host.store.commit(
    [],
    entries.map(([key, value]) => ({ do: "put", key, value: JSON.stringify(value) })),
  );
  await host.controller.catalog.reached(host.store.revision());
}

const longName = (at: number): string => `${String(at).padStart(4, "0")}${"x".repeat(59)}`;

/** As large as one may be: what JSON needs six characters for counts once. */
function largestLabels(): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let at = 0; labelBytesOf(labels) < limits.labelBytesMax - 256; at++)
    labels[`l${at}`] = "\u0001".repeat(limits.labelLengthMax - 8);
  return labels;
}

function largestMachine(at: number): Node {
  const services = Array.from({ length: limits.servicesPerNodeMax }, (_, service) => ({
    name: longName(service),
    namespace: longName(service),
  }));
  return { name: longName(at), services, publicKey: "k".repeat(512), joinedMs: 1, removed: false };
}

function instancesOf(machine: Node, labels: Instance["labels"]): Instance[] {
  return Array.from({ length: limits.instancesPerNodeMax }, (_, at) => {
    const service = machine.services[at % machine.services.length] as Node["services"][number];
    const id = `${machine.name}/${service.name}.${service.namespace}/${10_000 + at}`;
    return { id, service, node: machine.name, address: "10.0.0.1", port: 7445, labels, ready: true };
  });
}

describe("the status of a mesh of machines that each have all that one may have", () => {
  const count = amount(4, 2);

  beforeEach(async () => {
    const labels = largestLabels();
    const machines = Array.from({ length: count }, (_, at) => largestMachine(at));
    await putAll(
      machines.flatMap((machine) => [
        [registryKeys.nodes + machine.name, machine] as const,
        ...instancesOf(machine, labels).map((each) => [registryKeys.instances + each.id, each] as const),
      ]),
    );
    const certificates = Array.from({ length: limits.servicesPerNodeMax + 1 }, () => ({
      id: "\u0001".repeat(limits.spiffeIdBytesMax),
      notAfterMs: 2,
      issuedMs: 1,
    }));
    const reply = { version: "v", error: "\u0001".repeat(2_000), certificates };
    for (const { name } of machines)
      await host.as(`/node/${name}`).call("POST", controllerPaths.reply, reply);
  });

  test("comes whole, in pages that their reader takes, each row once", async () => {
    const status = await readStatus(operator);
    expect(requests).toBeGreaterThan(2 * count);
    expect(status.nodes).toHaveLength(count);
    expect(status.instances).toHaveLength(count * limits.instancesPerNodeMax);
    expect(new Set(status.instances.map((each) => each.id)).size).toBe(status.instances.length);
    expect(status.instances.map((each) => each.id)).toEqual(status.instances.map((each) => each.id).sort());
    expect(status).not.toHaveProperty("next");
  });

  test("leaves nothing raw of what machines and instances say of themselves on the terminal", async () => {
    const { host: screen, out } = terminalUnderTest({});
    showStatus(new Terminal(screen), await readStatus(operator));
    expect(out()).toContain("l0=\\x01\\x01");
    expect(out()).toContain("refused: \\x01");
    expect(out().replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });
});

describe("instances that proxies have taken out", () => {
  test("are shown with who says so, why and for how long, and only while that machine is connected", async () => {
    await host.addNode("vm-1", []);
    const out = { service: "web.default", endpoint: "vm-2/web.default/8080", reason: "streak" };
    const vm = host.as("/node/vm-1");
    await vm.call("PUT", controllerPaths.ejections, [{ ...out, probing: false, probeInMs: 60_000 }]);
    const shown = async (): Promise<string> => {
      const { host: screen, out: said } = terminalUnderTest({});
      showStatus(new Terminal(screen), await readStatus(operator));
      return said();
    };
    expect(await shown()).not.toContain("TAKEN OUT");
    host.controller.publisher.state("vm-1").connected = true;
    expect(await shown()).toMatch(
      /^web\.default +vm-2\/web\.default\/8080 +vm-1 +failures in a row +in (?:60|59) s$/m,
    );
    await vm.call("PUT", controllerPaths.ejections, []);
    expect(await shown()).not.toContain("TAKEN OUT");
  });

  test("are refused with a reason that nobody knows", async () => {
    await host.addNode("vm-1", []);
    const wrong = { service: "web", endpoint: "e", reason: "mood", probing: false, probeInMs: 1 };
    await expect(host.as("/node/vm-1").call("PUT", controllerPaths.ejections, [wrong])).rejects.toMatchObject(
      { status: 400 },
    );
  });
});

describe("a page", () => {
  const status = async (query: string): Promise<StatusPage> =>
    (await operator.call("GET", `${controllerPaths.status}?${query}`)).body as StatusPage;

  test("has as many rows as are asked for, and says what comes next; what comes and goes moves no other", async () => {
    for (const name of ["vm-2", "vm-1", "vm-3"]) await host.addNode(name, []);
    await host.addInstance("vm-1", "web");
    const first = await status("limit=2");
    expect(first.instances.map((each) => each.id)).toEqual(["vm-1/web.default/8080"]);
    expect(first.nodes.map((each) => each.name)).toEqual(["vm-1"]);
    await host.addNode("vm-0", []);
    const second = await status(`limit=2&after=${encodeURIComponent(first.next ?? "")}`);
    expect(second.nodes.map((each) => each.name)).toEqual(["vm-2", "vm-3"]);
    expect(second.next).toBeNull();
  });

  test("is refused with a limit that is no number of rows", async () => {
    for (const limit of ["0", "-1", "x", String(limits.pageRowsMax + 1)])
      await expect(status(`limit=${limit}`)).rejects.toMatchObject({
        status: 400,
        message: `Cannot list with limit "${limit}": expected a number from 1 to ${limits.pageRowsMax}`,
      });
  });
});

test("all machines are listed, however many there are", async () => {
  const count = amount(1_000, 200);
  for (let from = 0; from < count; from += 100)
    await putAll(
      Array.from({ length: 100 }, (_, at) => {
        const machine = largestMachine(from + at);
        return [registryKeys.nodes + machine.name, machine] as const;
      }),
    );
  const nodes = await readNodes(operator);
  expect(nodes.map((each) => each.name)).toEqual(Array.from({ length: count }, (_, at) => longName(at)));
});

test(
  "all documents are listed as they were applied, services first, however large they are",
  async () => {
    const text = (kind: string, name: string): string =>
      `kind: ${kind}\nname: ${name}\n${kind === "Service" ? "port: 80" : "service: s00\nallow: [{from: any}]"}\n# ${"x".repeat(900_000)}`;
    const names = Array.from({ length: amount(12, 5) }, (_, at) => `s${String(at).padStart(2, "0")}`);
    const entries = ["Service", "Access"].flatMap((kind) =>
      names.map(
        (name) =>
          [
            `${registryKeys.documents}${kind}/default/${name}`,
            { file: name, text: text(kind, name), leadsTo: [] },
          ] as const,
      ),
    );
    for (const entry of entries) await putAll([entry]);
    const { documents } = await readDocuments(operator);
    expect(documents.map((each) => `${each.kind} ${each.name}`)).toEqual([
      ...names.map((name) => `Service ${name}`),
      ...names.map((name) => `Access ${name}`),
    ]);
    expect(documents[0]?.text).toBe(text("Service", "s00"));
  },
  testMs,
);

test("status shows the version of each proxy, the unit of each instance and what is to be mended, as the proxy says it", async () => {
  const service = { name: "web", namespace: "default" };
  await host.addNode("vm-1", [service]);
  await host.addInstance("vm-1", "web");
  const about = {
    version: "0.1.0 (commit abc)",
    units: [{ service: "web.default", port: 8080, unit: "web.service" }],
    problems: ["gateway edge.default: /shop.pem cannot be used"],
  };
  const reply = { version: "", error: null, certificates: [], about };
  await host.as("/node/vm-1").call("POST", controllerPaths.reply, reply);
  const { host: screen, out } = terminalUnderTest({});
  showStatus(new Terminal(screen), await readStatus(operator));
  expect(out()).toMatch(/vm-1 .*0\.1\.0 \(commit abc\)/);
  expect(out()).toMatch(/web\.default +vm-1 +ready +8080 +web\.service/);
  expect(out()).toMatch(/^vm-1 +gateway edge\.default: \/shop\.pem cannot be used$/m);
});
