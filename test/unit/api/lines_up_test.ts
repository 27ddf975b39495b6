/** Lines that go both ways on one stream of a control API, where both sides know of it. */
import { afterAll, expect, test } from "bun:test";
import { BodyRoom } from "../../../src/api/body_room.ts";
import type { ControlClient, ControlHandler, ControlStream } from "../../../src/api/control.ts";
import { createControlClient } from "../../../src/api/control_client.ts";
import { serveControl } from "../../../src/api/control_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { makeTestAuthority } from "../../support/certificates.ts";
import { runtime } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";

const authority = await makeTestAuthority();
const meant = "spiffe://mesh.test/heddle/controller/one";
const credential = await authority.issue({ uri: meant });
const { clock, net } = runtime;
const open: { close(): unknown }[] = [];
afterAll(async () => {
  for (const each of open) await each.close();
});

interface Served {
  readonly taken: unknown[];
  connections: number;
  cancelled: number;
  /** Ends every answer. */
  end(): void;
  readonly client: ControlClient;
}

/** Says "hello" and goes on; takes lines except from /deaf, where it knows nothing of them. */
function serve(): Served {
  const answers: ReadableStreamDefaultController<Uint8Array>[] = [];
  const handler: ControlHandler = async (request, { lines }) => {
    const { path } = { path: new URL(request.url).pathname };
    if (path === "/refused") return Response.json({ error: "not you" }, { status: 403 });
    const asked = await request.json();
    if (path !== "/deaf")
      lines?.take((message) => {
        if (message === "wrong") throw new Error("it is wrong");
        served.taken.push(message);
      });
    return new Response(
      new ReadableStream<Uint8Array>({
        start(answer) {
          answers.push(answer);
          answer.enqueue(Buffer.from(`${JSON.stringify(asked)}\n`));
        },
        cancel: () => {
          served.cancelled++;
          answers.length = 0;
        },
      }),
    );
  };
  const server = serveControl({
    net: {
      ...net,
      listen: (options, accept) =>
        net.listen(options, (socket) => {
          served.connections++;
          return accept(socket);
        }),
    },
    clock,
    shard: new Shard(clock),
    listen: { host: "127.0.0.1", port: 0 },
    identity: () => ({ credential, rootsPem: [authority.rootPem] }),
    peer: "optional",
    strangers: null,
    bodies: new BodyRoom(),
    handler,
  });
  const client = createControlClient({
    net,
    clock,
    shard: new Shard(clock),
    servers: [{ host: "127.0.0.1", port: server.port }],
    identity: () => ({ credential: null, rootsPem: [authority.rootPem] }),
    expect: (id) => id === meant,
    serverName: "controller.heddle",
  });
  const served: Served = {
    ...{ taken: [], connections: 0, cancelled: 0, client },
    end: () => {
      for (const each of answers.splice(0)) each.close();
    },
  };
  open.push(client, { close: () => server.close(0) });
  return served;
}

interface Followed {
  readonly stream: ControlStream;
  readonly heard: unknown[];
  readonly ends: (string | null)[];
}

async function follow(client: ControlClient, path: string, both = true): Promise<Followed> {
  const [heard, ends]: [unknown[], (string | null)[]] = [[], []];
  const handler = {
    line: (message: unknown) => void heard.push(message),
    ended: (error: Error | null) => void ends.push(error === null ? null : error.message),
  };
  const stream = client.stream(path, handler, "hello", { both });
  await until(() => heard.length + ends.length > 0, "it is answered");
  return { stream, heard, ends };
}

test("a caller sends lines while it follows the answer, on the same connection", async () => {
  const served = serve();
  const { stream, heard } = await follow(served.client, "/both");
  const long = "x".repeat(100_000);
  for (const message of [{ version: "1" }, long, "last"]) expect(stream.send(message)).toBe(true);
  await until(() => served.taken.length === 3, "its lines have come");
  expect(served.taken).toEqual([{ version: "1" }, long, "last"]);
  expect([heard, served.connections]).toEqual([["hello"], 1]);
});

test("a server that takes no lines answers as ever, and so does one that is not asked to", async () => {
  const served = serve();
  for (const { stream, heard } of [
    await follow(served.client, "/deaf"),
    await follow(served.client, "/both", false),
  ]) {
    expect(heard).toEqual(["hello"]);
    expect(stream.send("unheard")).toBe(false);
  }
  const { ends } = await follow(served.client, "/refused");
  expect(ends).toEqual(["not you"]);
  expect(served.taken).toEqual([]);
});

test("a line that the server cannot use ends the stream, one that is too long is not sent on it", async () => {
  const served = serve();
  const { stream, ends } = await follow(served.client, "/both");
  expect(stream.send("x".repeat(limits.upLineBytesMax))).toBe(false);
  expect(stream.send("wrong")).toBe(true);
  await until(() => ends.length > 0, "the stream has ended");
  expect(ends[0]).not.toBeNull();
  expect(stream.send("later")).toBe(false);
  await until(() => served.cancelled === 1, "the answer is given up");
  expect(served.taken).toEqual([]);
});

test("whichever side leaves, the other one hears of it", async () => {
  const served = serve();
  const { stream } = await follow(served.client, "/both");
  stream.close();
  await until(() => served.cancelled === 1, "the answer is given up");
  const { stream: other, ends } = await follow(served.client, "/both");
  served.end();
  await until(() => ends.length > 0, "the stream has ended");
  expect(ends).toEqual([null]);
  expect(other.send("late")).toBe(false);
});
