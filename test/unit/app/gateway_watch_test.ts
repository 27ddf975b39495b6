/** What operators hear of the certificates of gateways: at the machine (check) and from the controller (status). */
import { expect, test } from "bun:test";
import { checkGateways } from "../../../src/app/check_gateways.ts";
import { GatewayWatch } from "../../../src/app/gateway_watch.ts";
import type { GatewayListener } from "../../../src/model/gateway.ts";
import { limits } from "../../../src/model/limits.ts";
import { makeTestAuthority } from "../../support/certificates.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { bytesOf } from "../../support/wire.ts";

const dayMs = 86_400_000;
const edge = { name: "edge", namespace: "default" };

async function scene() {
  const net = new MemoryNet();
  const { clock } = net;
  const startMs = clock.wallMs();
  const validity = (days: number) => ({
    notBefore: new Date(startMs - dayMs),
    notAfter: new Date(startMs + days * dayMs),
  });
  const authority = await makeTestAuthority(validity(3_650));
  const files = new Map<string, Uint8Array>();
  const put = async (name: string, days: number): Promise<void> => {
    const { chainPem, keyPem } = await authority.issue({ dns: ["shop.example"], ...validity(days) });
    files.set(`/${name}.pem`, bytesOf(chainPem));
    files.set(`/${name}.key`, bytesOf(keyPem));
  };
  let changes = 0;
  const watch = new GatewayWatch({ clock, files: { readSync: (path) => files.get(path) ?? null } }, () => {
    changes++;
  });
  const listener = (name: string): GatewayListener => ({
    ...{ name, address: "0.0.0.0", port: 443, protocol: "https", connectionsMax: 10 },
    certificates: [{ certificate: `/${name}.pem`, key: `/${name}.key` }],
  });
  const apply = (...names: readonly string[]): void =>
    watch.apply({ gateways: [{ service: edge, listeners: names.map(listener) }] }, { gateways: [edge] });
  const look = (): Promise<void> => net.pass(limits.certificateLookMs);
  const pass = (ms: number): Promise<void> => net.pass(ms);
  return { clock, pass, files, put, watch, apply, look, changes: () => changes };
}

test("a pair that does not belong together is told, while the one from before is shown, and is well again once it is mended", async () => {
  const { files, put, watch, apply, look, changes } = await scene();
  await put("shop", 90);
  apply("shop");
  expect([watch.problems(), changes()]).toEqual([[], 0]);
  const key = files.get("/shop.key") as Uint8Array;
  await put("other", 90);
  files.set("/shop.key", files.get("/other.key") as Uint8Array);
  await look();
  expect(watch.problems()).toEqual([
    "gateway edge.default: /shop.pem cannot be used: the key in /shop.key is not the one of that certificate; the one from before is shown still",
  ]);
  expect(changes()).toBe(1);
  files.set("/shop.key", bytesOf("nothing"));
  await look();
  expect(watch.problems()[0]).toContain(
    "/shop.key is not a private key without a passphrase in PEM; the one",
  );
  files.set("/shop.key", key);
  await look();
  expect([watch.problems(), changes()]).toEqual([[], 3]);
  watch.close();
});

test("one that is not there, or has ended, is told", async () => {
  const { pass, put, watch, apply, look } = await scene();
  await put("shop", 1);
  apply("shop", "missing");
  expect(watch.problems()).toEqual([
    "gateway edge.default: /missing.pem cannot be used: /missing.pem is not there",
  ]);
  await pass(dayMs);
  await look();
  expect(watch.problems()[0]).toStartWith("gateway edge.default: /shop.pem ended at ");
  watch.close();
});

test("check names what a gateway does not have: its port, a certificate, time", async () => {
  const { clock, put, watch, apply } = await scene();
  await put("shop", 90);
  await put("soon", 3);
  apply("shop", "soon", "missing");
  const sockets =
    "  sl  local_address rem_address   st\n   0: 00000000:01BB 00000000:0000 0A 0:0 0:0 0 0 0 1\n";
  const checked = async (tcp: string) => {
    const { files } = new MemoryMachine({ "/proc/net/tcp": tcp, "/proc/net/tcp6": "" });
    const all = await checkGateways({ files, clock }, { gateways: watch.status() });
    return all.map(({ result, detail }) => `${result}: ${detail}`);
  };
  expect(await checked(sockets)).toEqual([
    "ok: listens on 443",
    "ok: /shop.pem, 90 days left",
    "warn: /soon.pem ends in 3 days",
    "fail: /missing.pem cannot be used: /missing.pem is not there",
  ]);
  expect((await checked(""))[0]).toBe("fail: nothing listens on 0.0.0.0:443");
  watch.close();
});
