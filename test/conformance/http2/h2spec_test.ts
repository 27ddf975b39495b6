/** All of h2spec against our server driver, alone and as the front of a proxy over both drivers. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { profiles } from "../../../src/wire/h2/settings.ts";
import { Backend, echo, relay, serve } from "../../support/http_relay.ts";

const runtime = createRuntime();
const program = [join(homedir(), ".cache/heddle-peers/h2spec"), "/usr/local/bin/h2spec"].find((path) =>
  existsSync(path),
);
const body = new Uint8Array(1024).fill(97);
/** Some cases need a body to wait for. */
const back = serve(runtime, (exchange) => {
  if (exchange.request.contentLength !== 0) return echo(exchange);
  exchange.respond(200, null, noEdits, body.length);
  exchange.write(body);
  exchange.end(null);
});
const backend = new Backend(runtime, back.port, "h2", profiles.app);
const front = serve(runtime, (exchange) => relay(exchange, backend));

afterAll(() => {
  for (const each of [front, back]) {
    each.close();
    for (const connection of each.open) connection.destroy();
  }
});

async function passes(port: number): Promise<void> {
  const child = Bun.spawn([program as string, "-h", "127.0.0.1", "-p", String(port), "-o", "2", "--strict"], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const report = await new Response(child.stdout).text();
  const failures = report.split("\n").filter((line) => line.includes("×"));
  expect(failures).toEqual([]);
  expect(report).toContain("146 tests, 146 passed, 0 skipped, 0 failed");
}

// Needs h2spec: test/support/install_h2spec.sh builds it where Go is installed.
describe.skipIf(program === undefined)(
  `h2spec, all 146 cases${program === undefined ? " (needs h2spec)" : ""}`,
  () => {
    test("pass on the server driver", () => passes(back.port), 60_000);
    test("pass through a proxy over HTTP/2", () => passes(front.port), 60_000);
  },
);
