/** Joining: what a token gives, to whom, and how often. */
import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { registryKeys } from "../../../../src/api/messages.ts";
import { sourceOf } from "../../../../src/base/source_of.ts";
import { generateKey, prove } from "../../../../src/identity/keys.ts";
import type { Node } from "../../../../src/model/service.ts";
import { IssuingUnderTest, service } from "../../../support/issuing_under_test.ts";
import { testMs } from "../../../support/patience.ts";

const invalidToken = "This token is not valid: it was used, it ended, or it never was one";
const spki = (pem: string): string =>
  new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" }).toString("base64");

function nodeIn(host: IssuingUnderTest, name: string): Node {
  return JSON.parse(host.memory.get(registryKeys.nodes + name)?.value ?? "null") as Node;
}

describe("a machine with a good token", () => {
  test("gets certificates for its keys, and for nothing else", async () => {
    const host = new IssuingUnderTest();
    const machine = host.machine("vm-1", "web", "api.shop");
    const request = machine.joinRequest(await host.token("web", "api.shop"));
    const answer = await host.issuing.join(request, "10.9.9.9");
    expect(new X509Certificate(answer.node.chainPem).subjectAltName).toBe(
      "URI:spiffe://corp.example/node/vm-1",
    );
    expect(spki(answer.node.chainPem)).toBe(request.publicKey);
    expect(answer.services.map((each) => new X509Certificate(each.chainPem).subjectAltName)).toEqual([
      "URI:spiffe://corp.example/ns/default/sa/web",
      "URI:spiffe://corp.example/ns/shop/sa/api",
    ]);
    expect(answer.services.map((each) => spki(each.chainPem))).toEqual(
      request.services.map((each) => each.publicKey),
    );
    expect(answer).toMatchObject({
      trustDomain: "corp.example",
      address: "10.9.9.9",
      reachable: { ok: true },
    });
    expect(host.reached).toEqual(["10.9.9.9:7445"]);
    expect(host.logs).toEqual(["vm-1 joined from 10.9.9.9; it may be web.default, api.shop"]);
    expect(nodeIn(host, "vm-1")).toMatchObject({
      services: [service("web"), service("api.shop")],
      publicKey: request.publicKey,
      removed: false,
    });
  });

  test("may be every service of the token, also those that it does not ask for yet", async () => {
    const host = new IssuingUnderTest();
    await host.machine("vm-1", "web").join(await host.token("web", "api"));
    expect(nodeIn(host, "vm-1").services).toEqual([service("web"), service("api")]);
  });

  test("that has joined already gains the services of a further token", async () => {
    const host = new IssuingUnderTest();
    const machine = await host.member("vm-1", "web");
    machine.services = [service("api")];
    await machine.join(await host.token("api"));
    expect(nodeIn(host, "vm-1").services).toEqual([service("web"), service("api")]);
  });
});

describe("a token", () => {
  test("is kept as a hash, with who used it from where", async () => {
    const host = new IssuingUnderTest();
    const token = await host.token("web");
    const [, id = "", secret = ""] = token.split(".");
    await host.machine("vm-1", "web").join(token, "192.0.2.7");
    const stored = host.memory.get(registryKeys.tokens + id)?.value ?? "";
    expect(stored).not.toContain(secret);
    expect(JSON.parse(stored)).toMatchObject({ used: { node: "vm-1", address: "192.0.2.7" } });
    expect(secret.length).toBe(32);
  });

  test("that is used, ended, unknown or damaged gets one and the same answer", async () => {
    const host = new IssuingUnderTest();
    const used = await host.token("web");
    await host.machine("vm-1", "web").join(used);
    // While it would not have ended yet.
    const again = host.machine("vm-2", "web").join(used);
    await expect(again).rejects.toMatchObject({ status: 403, message: invalidToken });
    const good = await host.token("web");
    const [, id, secret, pin] = good.split(".");
    const late = await host.token("web");
    host.clock.jump(900_001);
    const fresh = await host.token("web");
    const [, freshId, freshSecret] = fresh.split(".");
    const wrong = [
      used,
      late,
      "",
      "hd1",
      `hd1.${"0".repeat(12)}.${secret}.${pin}`,
      `hd1.${freshId}.${secret}.${pin}`,
      `hd1.${freshId}..${pin}`,
      `hd1.${freshId}.${freshSecret}x.${pin}`,
      `hd2.${freshId}.${freshSecret}.${pin}`,
      `hd1.../${id}.${secret}.${pin}`,
      `hd1.${freshId?.toUpperCase()}Z.${freshSecret}.${pin}`,
    ];
    for (const token of wrong) {
      const refused = host.machine("vm-2", "web").join(token);
      await expect(refused).rejects.toMatchObject({ status: 403, message: invalidToken });
    }
    await host.machine("vm-2", "web").join(fresh);
  });

  test("gives no service that it does not name, and stays good after a request for one", async () => {
    const host = new IssuingUnderTest();
    const token = await host.token("web");
    for (const wanted of ["db", "web.shop"]) {
      const refused = host.machine("vm-1", "web", wanted).join(token);
      await expect(refused).rejects.toMatchObject({ status: 403 });
    }
    expect(host.keys(registryKeys.nodes)).toEqual([]);
    await host.machine("vm-1", "web").join(token);
  });

  test(
    "is good for one of a thousand machines that join at once",
    async () => {
      const host = new IssuingUnderTest();
      const others = [host.controller(), host.controller()];
      const token = await host.token("web");
      const controllers = [host.issuing, ...others];
      const joins = Array.from({ length: 1_000 }, (_, at) => {
        const issuing = controllers[at % controllers.length] ?? host.issuing;
        const request = host.machine(`vm-${at}`, "web").joinRequest(token, issuing.nonce());
        return issuing.join(request, host.address());
      });
      const results = await Promise.allSettled(joins);
      expect(results.filter((each) => each.status === "fulfilled").length).toBe(1);
      const reasons = new Set(
        results.flatMap((each) => (each.status === "rejected" ? [String(each.reason.message)] : [])),
      );
      expect([...reasons]).toEqual([invalidToken]);
      expect(host.keys(registryKeys.nodes).length).toBe(1);
      expect(host.keys(registryKeys.certificates).length).toBe(1);
    },
    testMs,
  );

  test("is forgotten a week after its end, not before", async () => {
    const host = new IssuingUnderTest();
    await host.token("web");
    host.clock.jump(7 * 24 * 3_600_000);
    await host.token("web");
    expect(host.keys(registryKeys.tokens).length).toBe(2);
    host.clock.jump(1_000_000);
    await host.token("web");
    expect(host.keys(registryKeys.tokens).length).toBe(2);
  });
});

describe("a name", () => {
  test("that is taken by another key is refused, and the token stays good", async () => {
    const host = new IssuingUnderTest();
    await host.member("vm-1", "web");
    const token = await host.token("web");
    await expect(host.machine("vm-1", "web").join(token)).rejects.toMatchObject({ status: 409 });
    await host.machine("vm-2", "web").join(token);
  });

  test("goes to one of two keys that want it at once", async () => {
    const host = new IssuingUnderTest();
    const tokens = [await host.token("web"), await host.token("web")];
    const [one, two] = [host.machine("vm-1", "web"), host.machine("vm-1", "web")];
    const results = await Promise.allSettled([one.join(tokens[0] ?? ""), two.join(tokens[1] ?? "")]);
    expect(results.filter((each) => each.status === "fulfilled").length).toBe(1);
    const winner = results[0]?.status === "fulfilled" ? one : two;
    expect(nodeIn(host, "vm-1").publicKey).toBe(winner.key.publicKey);
  });
});

describe("a request to join without proof", () => {
  test("of the machine's key or a service's key is refused", async () => {
    const host = new IssuingUnderTest();
    const token = await host.token("web");
    const machine = host.machine("vm-1", "web");
    const other = generateKey();
    const damaged = [
      () => ({ ...machine.joinRequest(token), publicKey: other.publicKey }),
      () => ({ ...machine.joinRequest(token), node: "vm-2" }),
      () => ({ ...machine.joinRequest(token), signature: "" }),
      () => ({ ...machine.joinRequest(token), signature: machine.request("renew").signature }),
      () => {
        const request = machine.joinRequest(token);
        return {
          ...request,
          services: request.services.map((each) => ({ ...each, publicKey: other.publicKey })),
        };
      },
      () => {
        const request = machine.joinRequest(token);
        const signature = prove(other.privatePem, `heddle-svid:${request.nonce}:web.shop`);
        return { ...request, services: [{ service: service("web"), publicKey: other.publicKey, signature }] };
      },
    ];
    for (const request of damaged)
      await expect(host.issuing.join(request(), host.address())).rejects.toMatchObject({
        status: 403,
        message: expect.stringContaining("does not prove"),
      });
    await machine.join(token);
  });

  test("of freshness is refused: nonces are ours, of the last minute, and good once", async () => {
    const host = new IssuingUnderTest();
    const old = host.issuing.nonce();
    host.clock.jump(60_001);
    const used = host.machine("vm-0", "web").joinRequest(await host.token("web"));
    await host.issuing.join(used, host.address());
    const made = host.issuing.nonce();
    const foreign = host.controller().nonce();
    const flipped = `${made.startsWith("a") ? "b" : "a"}${made.slice(1)}`;
    for (const nonce of [
      old,
      used.nonce,
      foreign,
      flipped,
      `${made}0`,
      made.slice(0, -1),
      "",
      ".",
      "..",
      "é.é",
    ]) {
      const request = host.machine("vm-1", "web").joinRequest(await host.token("web"), nonce);
      await expect(host.issuing.join(request, host.address())).rejects.toMatchObject({
        status: 403,
        message: expect.stringContaining("nonce"),
      });
    }
    const request = host.machine("vm-1", "web").joinRequest(await host.token("web"), made);
    await host.issuing.join(request, host.address());
  });
});

describe("failures from one address", () => {
  test("are answered five times a minute, then not even a good token is looked at", async () => {
    const host = new IssuingUnderTest();
    const token = await host.token("web");
    const machine = host.machine("vm-1", "web");
    for (let failure = 0; failure < 5; failure++)
      await expect(machine.join("hd1.bad", "10.0.0.9")).rejects.toMatchObject({ status: 403 });
    expect(new Set(host.logs)).toEqual(new Set([`refused to let 10.0.0.9 join: ${invalidToken}`]));
    await expect(machine.join("hd1.bad", "10.0.0.9")).rejects.toMatchObject({ status: 429 });
    await expect(machine.join(token, "10.0.0.9")).rejects.toMatchObject({ status: 429 });
    await expect(machine.reattest("10.0.0.9")).rejects.toMatchObject({ status: 429 });
    await host.machine("vm-2", "web").join(await host.token("web"), "10.0.0.10");
    host.clock.jump(60_001);
    await machine.join(token, "10.0.0.9");
  });

  test("are counted also when they come at once", async () => {
    const host = new IssuingUnderTest();
    const machine = host.machine("vm-1", "web");
    const guesses = Array.from({ length: 40 }, () => machine.join("hd1.bad", "10.0.0.9"));
    const statuses = (await Promise.allSettled(guesses)).map((each) =>
      each.status === "rejected" ? (each.reason as { status: number }).status : 200,
    );
    expect(statuses.filter((status) => status === 403).length).toBe(5);
    expect(statuses.filter((status) => status === 429).length).toBe(35);
  });

  test("are those of its whole network where one host has many addresses", () => {
    const same = [
      ["2001:db8:1:2::1", "2001:db8:1:2:ffff:1:2:3"],
      ["2001:0db8:0001:0002::1", "2001:DB8:1:2::9"],
      ["::1", "::2"],
      ["::ffff:10.0.0.1", "10.0.0.1"],
    ];
    for (const [one = "", other = ""] of same) expect([one, sourceOf(one)]).toEqual([one, sourceOf(other)]);
    expect(sourceOf("2001:db8:1:2::1")).toBe("2001:db8:1:2");
    expect(sourceOf("2001:db8:1:3::1")).not.toBe(sourceOf("2001:db8:1:2::1"));
    expect(sourceOf("10.0.0.1")).not.toBe(sourceOf("10.0.0.2"));
  });
});
