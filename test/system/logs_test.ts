/** Logs of the compiled binary: a reader that does not read holds nobody up. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { callUrl } from "../support/http_calls.ts";
import { testMs } from "../support/patience.ts";
import { plainEnvironment, waitFor } from "../support/processes.ts";
import { openPipe } from "../support/unread_pipe.ts";

const host = addressOf(98);
/** Failures are always logged. */
const path = `/fails/${"p".repeat(400)}`;

describe.skipIf(binaryMissing)("a proxy whose access log nobody reads", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-logs-test-`);
  const pipe = openPipe();
  let dev: ReturnType<typeof Bun.spawn>;
  let app: ReturnType<typeof Bun.serve>;

  beforeAll(() => {
    app = Bun.serve({
      hostname: host,
      port: 8_080,
      fetch: ({ url }) => new Response("", { status: url.includes("fails") ? 500 : 200 }),
    });
    const services = [
      { service: "web", host, port: 8_081 },
      { service: "orders", host, port: 8_080 },
    ];
    const documents = [
      { kind: "Machine", name: "vm-1", address: host, services },
      { kind: "Service", name: "web", port: 80, protocol: "http" },
      { kind: "Service", name: "orders", port: 80, protocol: "http" },
      { kind: "Mesh", name: "mesh", telemetry: { accessLog: { samplePercent: 100 } } },
    ];
    for (const [at, document] of documents.entries())
      writeFileSync(`${folder}/${at}.yaml`, JSON.stringify(document));
    dev = Bun.spawn([binaryPath, "dev", folder], {
      env: plainEnvironment(),
      stdio: ["ignore", pipe.to, Bun.file(`${folder}/dev.err`)],
    });
  });
  afterAll(async () => {
    dev.kill("SIGKILL");
    await Promise.all([dev.exited, app.stop(true)]);
    closeSync(pipe.from);
    closeSync(pipe.to);
    rmSync(folder, { recursive: true });
  }, testMs);

  const call = async (to: string): Promise<number> => {
    const answer = await fetch(`http://${host}:${ports.outboundFirst}${to}`, {
      headers: { host: "orders.mesh" },
    });
    await answer.text();
    return answer.status;
  };

  test(
    "serves on, drops lines and counts them",
    async () => {
      await waitFor("orders answers", async () => ((await call("/").catch(() => 0)) === 200 ? true : null));
      await waitFor("lines are counted as lost", async () => {
        await Promise.all(Array.from({ length: 200 }, () => call(path)));
        const page = (await callUrl(`http://${host}:${ports.admin}/metrics`)).text;
        return (
          /^heddle_access_log_dropped_total\{limit="logWaitingCharactersMax"\} [1-9]/m.test(page) || null
        );
      });
      expect(await call("/")).toBe(200);
    },
    testMs,
  );
});
