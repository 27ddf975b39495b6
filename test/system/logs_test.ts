/** Logs of the compiled binary: a reader that does not read holds nobody up. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
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

describe.skipIf(binaryMissing)("what clients write", () => {
  const address = addressOf(99);
  const folder = mkdtempSync(`${tmpdir()}/heddle-hostile-test-`);
  const [out, err] = [`${folder}/dev.out`, `${folder}/dev.err`];
  let dev: ReturnType<typeof Bun.spawn>;
  let app: ReturnType<typeof Bun.serve>;

  beforeAll(() => {
    app = Bun.serve({ hostname: address, port: 8_080, fetch: () => new Response("hello") });
    const services = [
      { service: "web", host: address, port: 8_081 },
      { service: "orders", host: address, port: 8_080 },
    ];
    const documents = [
      { kind: "Machine", name: "vm-1", address, services },
      { kind: "Service", name: "web", port: 80, protocol: "http" },
      { kind: "Service", name: "orders", port: 80, protocol: "http" },
      { kind: "Mesh", name: "mesh", telemetry: { accessLog: { samplePercent: 100 } } },
    ];
    for (const [at, document] of documents.entries())
      writeFileSync(`${folder}/${at}.yaml`, JSON.stringify(document));
    dev = Bun.spawn([binaryPath, "dev", folder], {
      env: plainEnvironment(),
      stdio: ["ignore", openSync(out, "w"), openSync(err, "w")],
    });
  });
  afterAll(async () => {
    dev.kill("SIGKILL");
    await Promise.all([dev.exited, app.stop(true)]);
    rmSync(folder, { recursive: true });
  }, testMs);

  /** Bytes as they are, each a character; resolves when the connection has ended. */
  const send = (head: string): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(ports.outboundFirst, address, () => socket.write(head, "latin1"));
      socket.on("error", () => resolve());
      socket.on("close", () => resolve());
      socket.resume();
    });
  const request = (line: string, ...fields: readonly string[]): string =>
    [line, "host: orders.mesh", "connection: close", ...fields, "", ""].join("\r\n");

  const nasty = '\x1b[2J\x1b]0;owned\x07\x9b1m\xe2\x80\xae\n{"forged":true}';
  const escaped = [...nasty].map((each) => `%${each.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");
  const hostile: Readonly<Record<string, string>> = {
    "an escaped path": request(`GET /${escaped} HTTP/1.1`),
    "a path of raw bytes": request(`GET /${nasty.replace("\n", "")} HTTP/1.1`),
    "a path of 64 kB": request(`GET /${"%1b".repeat(22_000)} HTTP/1.1`),
    "a long path that passes": request(`GET /${"%1b[2J".repeat(1_000)} HTTP/1.1`),
    "a method": request(`G${nasty.slice(0, 4)}T / HTTP/1.1`),
    "a request id": request("GET / HTTP/1.1", `x-request-id: ${nasty.replace("\n", "")}`),
    "a field of 64 kB": request("GET / HTTP/1.1", `x-long: ${"\x9b".repeat(65_536)}`),
    "a trace": request(
      "GET / HTTP/1.1",
      `traceparent: ${nasty.replace("\n", "")}`,
      `b3: ${"\x1b".repeat(99)}`,
    ),
    "the name of a service": `GET / HTTP/1.1\r\nhost: ${nasty.replace("\n", "")}.mesh\r\nconnection: close\r\n\r\n`,
    "what is no HTTP": `\x16\x03\x01${nasty}\r\n\r\n`,
  };

  test(
    "never steers a terminal, forges a line or breaks one, in the access log, the proxy's own log or its metrics",
    async () => {
      const answered = async (path = "/"): Promise<true | null> => {
        const answer = await fetch(`http://${address}:${ports.outboundFirst}${path}`, {
          headers: { host: "orders.mesh" },
        }).catch(() => null);
        return answer?.status === 200 ? true : null;
      };
      await waitFor("orders answers", () => answered());
      for (const head of Object.values(hostile)) await send(head);
      await waitFor("what came after them is logged", async () => {
        await answered("/after");
        return readFileSync(out, "utf8").includes('"/after"') || null;
      });
      const [lines, said] = [readFileSync(out, "latin1"), readFileSync(err, "latin1")];
      const page = (await callUrl(`http://${address}:${ports.admin}/metrics`)).text;
      for (const text of [lines, said, page]) expect(text).not.toMatch(/[^\x20-\x7e\n]/);
      // Beside them dev says what it started; a line that a client forged would begin as those of the log do.
      const parsed = lines.split("\n").filter((line) => line.startsWith("{"));
      for (const line of parsed) {
        expect(line.length).toBeLessThan(70_000);
        expect(JSON.parse(line)).toMatchObject({ ts: expect.any(String), direction: expect.any(String) });
      }
      // The escaped one passed, and is there as it was written.
      expect(parsed.some((line) => line.includes("%1b") || line.includes("%1B"))).toBe(true);
    },
    testMs,
  );
});
