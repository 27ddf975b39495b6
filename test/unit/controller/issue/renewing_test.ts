/** Renewing, coming back after a long absence, and leaving: who keeps which certificate for how long. */
import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { registryKeys } from "../../../../src/api/messages.ts";
import { generateKey } from "../../../../src/identity/keys.ts";
import { limits } from "../../../../src/model/limits.ts";
import {
  hourMs,
  IssuingUnderTest,
  service,
  type MachineUnderTest,
} from "../../../support/issuing_under_test.ts";

const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber.toLowerCase();

describe("a member", () => {
  test("renews with new keys of its services and its own", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    host.clock.jump(12 * hourMs);
    const answer = await machine.renew();
    expect(answer.node.notAfterMs).toBeGreaterThan(host.clock.wallMs() + 23.9 * hourMs);
    expect(new X509Certificate(answer.services[0]?.chainPem ?? "").subjectAltName).toBe(
      "URI:spiffe://corp.example/ns/default/sa/web",
    );
    expect(answer.controllerMs).toBe(host.clock.wallMs());
  });

  test("renews nothing of another machine", async () => {
    const host = new IssuingUnderTest();
    const [one, two] = [await host.member("vm-1", "web"), await host.member("vm-2", "api")];
    await expect(host.issuing.renew(two.request("renew"), "vm-1")).rejects.toMatchObject({ status: 403 });
    const stolen = { ...one.request("renew"), node: "vm-2" };
    await expect(host.issuing.renew(stolen, "vm-2")).rejects.toMatchObject({ status: 403 });
  });

  test("renews no service that it may not be, until it is allowed", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    machine.services = [service("web"), service("api")];
    const before = await machine.renew();
    expect(before.services.map((each) => each.service)).toEqual([service("web")]);
    expect(before.refused).toEqual([service("api")]);
    await host.issuing.nodes.allow("vm-1", service("api"));
    const after = await machine.renew();
    expect([after.services.length, after.refused]).toEqual([2, []]);
  });

  test("renews with the key alone that it joined with", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    machine.key = generateKey();
    await expect(machine.renew()).rejects.toMatchObject({ status: 403 });
    await expect(machine.reattest()).rejects.toMatchObject({ status: 403 });
  });

  test("cannot use a request twice, nor one that was signed for something else", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    const request = machine.request("renew");
    await host.issuing.renew(request, "vm-1");
    await expect(host.issuing.renew(request, "vm-1")).rejects.toMatchObject({ status: 403 });
    for (const purpose of ["join", "reattest"])
      await expect(host.issuing.renew(machine.request(purpose), "vm-1")).rejects.toMatchObject({
        status: 403,
      });
    await expect(host.issuing.reattest(machine.request("renew"), "10.0.0.1")).rejects.toMatchObject({
      status: 403,
    });
  });

  test("that renews without end is stopped, and goes on when its certificates have ended", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    const key = registryKeys.certificates + "vm-1";
    const many = Array.from({ length: limits.certificatesPerNodeMax }, (_, at) => ({
      serial: `${at}`,
      notAfterMs: host.clock.wallMs() + hourMs,
    }));
    await host.memory.commit([], [{ do: "put", key, value: JSON.stringify({ lastEndsMs: 0, alive: many }) }]);
    await expect(machine.renew()).rejects.toMatchObject({ status: 429 });
    host.clock.jump(2 * hourMs);
    await machine.renew();
    expect(JSON.parse(host.memory.get(key)?.value ?? "").alive.length).toBe(2);
  });

  test("that is changed while it renews gets nothing", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    let removing = true;
    host.meanwhile = async () => {
      if (!removing) return;
      removing = false;
      await host.issuing.nodes.remove("vm-1");
    };
    await expect(machine.renew()).rejects.toMatchObject({ status: 503 });
    expect(host.keys(registryKeys.certificates)).toEqual([]);
  });
});

describe("a machine that was away", () => {
  test("comes back by its key after its certificates ended", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    host.clock.jump(5 * 24 * hourMs);
    const answer = await machine.reattest();
    expect(answer.services.length).toBe(1);
  });

  test("comes back within thirty days of its last certificate, not later", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    host.clock.jump(limits.nodeGraceMs);
    await machine.reattest();
    host.clock.jump(limits.nodeGraceMs + 24 * hourMs - 1000);
    await machine.reattest();
    host.clock.jump(limits.nodeGraceMs + 24 * hourMs + 1000);
    await expect(machine.reattest()).rejects.toMatchObject({
      status: 403,
      message: "The certificates of vm-1 ended more than 30 days ago",
    });
  });

  test("does not come back when it was removed, or never was there", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    await host.issuing.nodes.remove("vm-1");
    await expect(machine.reattest()).rejects.toMatchObject({ status: 403 });
    await expect(host.machine("vm-9", "web").reattest()).rejects.toMatchObject({ status: 403 });
  });

  test("comes back from an address where others fail for ever", async () => {
    const host = new IssuingUnderTest();
    const [away, removed] = [await host.member("vm-1", "web"), await host.member("vm-2", "web")];
    await host.issuing.nodes.remove("vm-2");
    const shared = "10.0.0.9";
    const fails = (machine: MachineUnderTest) =>
      machine.reattest(shared).catch((error: Error) => error.message);
    const strangers = [];
    for (let attempt = 0; attempt < 7; attempt++) strangers.push(await fails(host.machine("vm-9", "web")));
    expect(new Set(strangers.slice(5))).toEqual(
      new Set(["There were too many failed attempts from this address; try again in a minute"]),
    );
    const told = host.logs.filter((line) => line.includes(`refused to let ${shared} come back`));
    expect(told).toHaveLength(limits.joinFailuresPerMinuteMax);
    expect(await fails(removed)).toContain("not part of this mesh");
    expect((await away.reattest(shared)).services).toHaveLength(1);
  });

  test("and was removed does not keep others of its address from joining, however often it asks", async () => {
    const host = new IssuingUnderTest();
    const removed = await host.member("vm-2", "web");
    await host.issuing.nodes.remove("vm-2");
    for (let attempt = 0; attempt < 20; attempt++)
      await expect(removed.reattest("10.0.0.9")).rejects.toMatchObject({ status: 403 });
    await host.machine("vm-3", "web").join(await host.token("web"), "10.0.0.9");
  });

  test("is no other service than before", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    host.clock.jump(48 * hourMs);
    machine.services = [service("db")];
    expect(await machine.reattest()).toMatchObject({ services: [], refused: [service("db")] });
  });
});

describe("a machine that is removed", () => {
  test("renews nothing, and each certificate that it holds is revoked", async () => {
    const host = new IssuingUnderTest();
    const machine = host.machine("vm-1", "web");
    const joined = await machine.join(await host.token("web"));
    const other = await host.member("vm-2", "web");
    host.clock.jump(hourMs);
    const renewed = await machine.renew();
    await host.issuing.nodes.remove("vm-1");
    await expect(machine.renew()).rejects.toMatchObject({ status: 403 });
    const held = [joined, renewed].flatMap(({ node, services }) => [node, ...services]);
    const serials = held.map(({ chainPem }) => registryKeys.revoked + serialOf(chainPem)).sort();
    expect(host.keys(registryKeys.revoked)).toEqual(serials);
    await other.renew();
  });

  test("leaves its name to another key, and what was revoked stays so", async () => {
    const host = new IssuingUnderTest();
    await host.member("vm-1", "web", "db");
    await host.issuing.nodes.remove("vm-1");
    const revoked = host.keys(registryKeys.revoked);
    expect(revoked.length).toBe(3);
    const fresh = await host.member("vm-1", "web");
    expect(host.keys(registryKeys.revoked)).toEqual(revoked);
    fresh.services = [service("db")];
    expect(await fresh.renew()).toMatchObject({ services: [], refused: [service("db")] });
  });

  test("cannot be allowed more services, nor can one that is unknown", async () => {
    const host = new IssuingUnderTest();
    await host.member("vm-1", "web");
    await host.issuing.nodes.remove("vm-1");
    await expect(host.issuing.nodes.allow("vm-1", service("db"))).rejects.toMatchObject({ status: 409 });
    await expect(host.issuing.nodes.allow("vm-7", service("db"))).rejects.toMatchObject({ status: 404 });
    await expect(host.issuing.nodes.remove("vm-7")).rejects.toMatchObject({ status: 404 });
  });

  test("is forgotten in the list of revoked certificates once they have ended", async () => {
    const host = new IssuingUnderTest();
    await host.member("vm-1", "web");
    await host.issuing.nodes.remove("vm-1");
    host.clock.jump(25 * hourMs);
    await host.member("vm-2", "web");
    await host.issuing.nodes.remove("vm-2");
    expect(host.keys(registryKeys.revoked).length).toBe(2);
  });
});

test("a machine may be so many services and no more", async () => {
  const host = new IssuingUnderTest();
  await host.member("vm-1", ...Array.from({ length: limits.servicesPerNodeMax }, (_, at) => `s${at}`));
  await expect(host.issuing.nodes.allow("vm-1", service("more"))).rejects.toMatchObject({ status: 409 });
  await host.issuing.nodes.allow("vm-1", service("s1"));
});

test("two changes of one machine at once both count", async () => {
  const host = new IssuingUnderTest();
  await host.member("vm-1", "web");
  await Promise.all(["a", "b", "c"].map((name) => host.issuing.nodes.allow("vm-1", service(name))));
  const { node } = await host.issuing.nodes.read("vm-1");
  expect(node?.services.map((each) => each.name).sort()).toEqual(["a", "b", "c", "web"]);
});

describe("to whoever has no certificate", () => {
  test("it is not told who is a member, was one or never was", async () => {
    const host = new IssuingUnderTest();
    const member = await host.member("vm-1", "web");
    const removed = await host.member("vm-2", "web");
    await host.issuing.nodes.remove("vm-2");
    const answers = await Promise.all(
      ["vm-1", "vm-2", "vm-9"].map((name) =>
        host
          .machine(name, "web")
          .reattest()
          .catch((error: Error) => error.message),
      ),
    );
    expect(new Set(answers)).toEqual(new Set(["No machine of this mesh has this name and this key"]));
    await expect(removed.reattest()).rejects.toMatchObject({
      message: expect.stringContaining("not part of"),
    });
    expect((await member.reattest()).services).toHaveLength(1);
  });
});

test("the controller connects back to the address that a machine has, and to no other", async () => {
  const host = new IssuingUnderTest();
  await host.member("vm-1", "web");
  const reach = (address: string) => host.issuing.reach("vm-1", "10.0.0.7", { address, port: 7445 });
  expect(await reach("10.0.0.7")).toMatchObject({ ok: true });
  expect(await reach("192.168.0.1")).toMatchObject({
    ok: false,
    detail: expect.stringContaining("tries 10.0.0.7 alone"),
  });
});
