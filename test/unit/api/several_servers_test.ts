/** A control plane that has several addresses: the client finds the one that answers, by calls and by streams. */
import { afterAll, describe, expect, test } from "bun:test";
import { BodyRoom } from "../../../src/api/body_room.ts";
import { ControlRefusal, ControlUnreachable, type ControlClient } from "../../../src/api/control.ts";
import { createControlClient } from "../../../src/api/control_client.ts";
import { serveControl, type ControlServer } from "../../../src/api/control_server.ts";
import type { Net } from "../../../runtime/contract.ts";
import { addressText, type Address } from "../../../src/base/socket_address.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { makeTestAuthority } from "../../support/certificates.ts";
import { runtime } from "../../support/planes.ts";

const authority = await makeTestAuthority();
const meant = "spiffe://mesh.test/heddle/controller/one";
const credential = await authority.issue({ uri: meant });
const another = await authority.issue({ uri: "spiffe://mesh.test/heddle/registry/one" });
const { clock } = runtime;
const open: { close(): unknown }[] = [];
afterAll(async () => {
  for (const each of open) await each.close();
});

/** Answers with its name. */
function serve(name: string, shown = credential): ControlServer & { readonly address: Address } {
  const server = serveControl({
    net: runtime.net,
    clock,
    shard: new Shard(clock),
    listen: { host: "127.0.0.1", port: 0 },
    identity: () => ({ credential: shown, rootsPem: [authority.rootPem] }),
    peer: "optional",
    strangers: null,
    bodies: new BodyRoom(),
    handler: (request) => {
      if (request.url.endsWith("/refused"))
        return Response.json({ error: `${name} refuses` }, { status: 409 });
      if (name === "unable") return Response.json({ error: "it is cut off" }, { status: 503 });
      return request.url.endsWith("/lines") ? new Response(`"${name}"\n`) : Response.json(name);
    },
  });
  const close = (): Promise<void> => server.close(0);
  open.push({ close });
  return { ...server, port: server.port, address: { host: "127.0.0.1", port: server.port }, close };
}

/** Where nobody listens. */
async function deadAddress(): Promise<Address> {
  const gone = serve("gone");
  await gone.close(0);
  return gone.address;
}

interface Dialled {
  readonly client: ControlClient;
  /** Each attempt to connect, with how long it may take. */
  readonly attempts: { readonly to: string; readonly timeoutMs: number }[];
}

function clientOf(servers: readonly Address[]): Dialled {
  const attempts: Dialled["attempts"] = [];
  const net: Net = {
    ...runtime.net,
    connect(options, dial) {
      attempts.push({ to: addressText(options), timeoutMs: options.timeoutMs });
      return runtime.net.connect(options, dial);
    },
  };
  const client = createControlClient({
    net,
    // Its time stands still: what was found dead stays so.
    clock: Object.assign(Object.create(clock) as typeof clock, { now: () => 0 }),
    shard: new Shard(clock),
    servers,
    identity: () => ({ credential: null, rootsPem: [authority.rootPem] }),
    expect: (id) => id === meant,
    serverName: "controller.heddle",
  });
  open.push(client);
  return { client, attempts };
}

function lineOf(client: ControlClient): Promise<unknown> {
  return new Promise((resolve) =>
    client.stream("/lines", { line: resolve, ended: (error) => resolve(error ?? "ended") }),
  );
}

describe("where the first address is dead", () => {
  test("a call is answered by the second, at once", async () => {
    const [dead, alive] = [await deadAddress(), serve("second")];
    const { client, attempts } = clientOf([dead, alive.address]);
    expect((await client.call("GET", "/")).body).toBe("second");
    expect(attempts).toEqual([
      { to: addressText(dead), timeoutMs: limits.controlTrialMs },
      { to: addressText(alive.address), timeoutMs: limits.controlConnectMs },
    ]);
  });

  test("a stream comes from the second, and bytes do", async () => {
    const { client } = clientOf([await deadAddress(), serve("second").address]);
    expect(await lineOf(client)).toBe("second");
    expect(new TextDecoder().decode(await client.fetchBytes("/"))).toBe('"second"');
  });

  test("it is not tried first again while it was found dead a moment ago", async () => {
    const [dead, alive] = [await deadAddress(), serve("second")];
    const { client, attempts } = clientOf([dead, alive.address]);
    for (let each = 0; each < 6; each++) await lineOf(client);
    expect(attempts.map(({ to }) => to)).toEqual(
      [dead, ...Array<Address>(6).fill(alive.address)].map(addressText),
    );
  });
});

test("a server that goes away while its connection is kept is replaced by the other with the next call", async () => {
  const [first, second] = [serve("first"), serve("second")];
  const { client } = clientOf([first.address, second.address]);
  expect((await client.call("GET", "/")).body).toBe("first");
  await first.close(0);
  expect((await client.call("GET", "/")).body).toBe("second");
});

test("one that is somebody else is passed over, as one that is not there", async () => {
  const { client } = clientOf([serve("stranger", another).address, serve("second").address]);
  expect((await client.call("GET", "/")).body).toBe("second");
});

test("what a server refuses is its answer: no other one is asked, and it says whose it is", async () => {
  const [first, second] = [serve("first"), serve("second")];
  const { client, attempts } = clientOf([first.address, second.address]);
  const error = await client.call("POST", "/refused", {}).catch((each: unknown) => each);
  expect(error).toBeInstanceOf(ControlRefusal);
  expect(error).toMatchObject({ message: "first refuses", address: addressText(first.address) });
  expect(attempts.length).toBe(1);
});

test("where none can be reached, the error names each and why", async () => {
  const dead = [await deadAddress(), await deadAddress()];
  const [one = "", two = ""] = dead.map(addressText);
  const error = await clientOf(dead)
    .client.call("GET", "/")
    .catch((each: unknown) => each);
  expect(error).toBeInstanceOf(ControlUnreachable);
  const { message, address } = error as ControlUnreachable;
  expect(address).toBe(`${one} or ${two}`);
  expect(message).toStartWith(`Cannot reach ${one} or ${two}: ${one}: `);
  expect(message).toContain(`; ${two}: `);
});

describe("where the first one answers that it is unable", () => {
  test("a read is answered by the second at once, and so is what follows", async () => {
    const [unable, well] = [serve("unable"), serve("second")];
    const { client } = clientOf([unable.address, well.address]);
    expect((await client.call("GET", "/")).body).toBe("second");
    expect((await client.call("POST", "/", {})).body).toBe("second");
    expect(await lineOf(client)).toBe("second");
  });

  test("a change is refused, since it may have been made, and the next one goes to the second", async () => {
    const [unable, well] = [serve("unable"), serve("second")];
    const { client } = clientOf([unable.address, well.address]);
    expect(client.call("POST", "/", {})).rejects.toThrow("it is cut off");
    await client.call("POST", "/", {}).catch(() => undefined);
    expect((await client.call("POST", "/", {})).body).toBe("second");
  });

  test("a stream that it refuses is followed at the second when it is begun again", async () => {
    const [unable, well] = [serve("unable"), serve("second")];
    const { client } = clientOf([unable.address, well.address]);
    expect(await lineOf(client)).toBeInstanceOf(ControlRefusal);
    expect(await lineOf(client)).toBe("second");
  });

  test("and all others too, it is said, not tried for ever", async () => {
    const both = [serve("unable"), serve("unable")].map(({ address }) => address);
    expect(clientOf(both).client.call("GET", "/")).rejects.toThrow("it is cut off");
  });
});
