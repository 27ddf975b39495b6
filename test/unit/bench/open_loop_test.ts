/** The open-loop generator: what a stall costs is charged to every request that it delays. */
import { expect, test } from "bun:test";
import { bun } from "../../../compile/repository.ts";
import { output } from "../../bench/load.ts";
import type { OpenLoopOptions, OpenLoopResult } from "../../bench/open_loop.ts";

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Answers at once, but for one stall. */
function serve(stallAt: number, stallMs: number) {
  let requests = 0;
  let until = 0;
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        if (++requests === stallAt) until = performance.now() + stallMs;
        const waitMs = until - performance.now();
        if (waitMs <= 0) socket.write(answer);
        else setTimeout(() => socket.write(answer), waitMs);
      },
    },
  });
}

const load = {
  host: "127.0.0.1",
  authority: "x",
  path: "/",
  rate: 500,
  connections: 4,
  count: 400,
  warmup: 0,
};

async function run(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const script = `${import.meta.dir}/../../bench/open_loop.ts`;
  const said = await output([bun, script, JSON.stringify(options)], 30_000);
  return JSON.parse(said.slice(said.indexOf("\n"))) as OpenLoopResult;
}

test("counts all requests that a stall of 200 ms delays, not only those that were sent", async () => {
  const server = serve(100, 200);
  const result = await run({ ...load, port: server.port });
  server.stop(true);
  expect([result.count, result.failed]).toEqual([400, 0]);
  expect(result.max).toBeGreaterThan(195_000);
  // 200 ms at 500/s: 100 of 400 were late, though four connections can have sent only four.
  expect(result.p90).toBeGreaterThan(50_000);
});

test("counts an answer other than 200 and a lost connection as failed", async () => {
  let requests = 0;
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        requests++;
        if (requests === 10) socket.end();
        else socket.write(requests === 20 ? answer.replace("200 OK", "503 No") : answer);
      },
    },
  });
  const result = await run({ ...load, port: server.port, count: 100 });
  server.stop(true);
  expect([result.count, result.failed]).toEqual([98, 2]);
});
