/**
 * Opaque connections through the compiled binary, used by real programs: PostgreSQL by `psql`, Redis by `redis-cli`, mail by
 * `curl`, and bytes in bulk, which both proxies carry in little memory from their first moment on.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { makeTestAuthority } from "../support/certificates.ts";
import { Dialogue } from "../support/dialogue.ts";
import { callUrl } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { runNode, startNode } from "../support/node_program.ts";
import { expectEnd, expectHeard, nextAccepted, send } from "../support/opaque.ts";
import type { Bulk } from "../support/peers/run_bulk.ts";
import {
  hasPostgres,
  psql,
  psqlCommand,
  psqlEnvironment,
  startPostgres,
  type Postgres,
} from "../support/postgres.ts";
import {
  accepts,
  hasProgram,
  plainEnvironment,
  runProgram,
  startProgram,
  waitFor,
} from "../support/processes.ts";
import type { Program } from "../support/processes.ts";
import { runtime } from "../support/runtime_under_test.ts";
import { dialled, listen, until, type TestListener } from "../support/sockets.ts";
import { patterned, sendAll } from "../support/streams.ts";
import { hangMs, testMs } from "../support/patience.ts";

const folder = mkdtempSync(`${tmpdir()}/heddle-opaque-`);
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const hasRedis = hasProgram("redis-server") && hasProgram("redis-cli");
const host = addressOf(80);
/** Where the servers listen; their services have the well-known ports. */
const at = {
  postgres: 15_432,
  redis: 16_379,
  mail: 10_025,
  bulk: 10_026,
  ends: 10_027,
  one: 10_028,
  two: 10_029,
} as const;
/** Where their caller reaches them. */
const local = {
  db: 9001,
  "declared-db": 9002,
  cache: 9003,
  "declared-cache": 9004,
  mail: 9005,
  bulk: 9006,
  ends: 9007,
  "own-ends": 9008,
  sealed: "by-name",
  other: "by-name",
} as const;
const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: db, port: 5432}
---
{kind: Service, name: declared-db, port: 15432, protocol: tcp}
---
{kind: Service, name: cache, port: 6379}
---
{kind: Service, name: declared-cache, port: 16379, protocol: tcp}
---
{kind: Service, name: mail, port: 25}
---
{kind: Service, name: bulk, port: 7000, protocol: tcp}
---
{kind: Service, name: ends, port: 7001, protocol: tcp}
---
{kind: Service, name: own-ends, port: 7001, protocol: tcp, transport: own}
---
{kind: Service, name: sealed, port: 443, protocol: tls}
---
{kind: Service, name: other, port: 443, protocol: tls}
---
{kind: TLSRoute, name: one, service: sealed, hostnames: [one.example], split: {sealed: 1}}
---
{kind: TLSRoute, name: two, service: sealed, hostnames: [two.example], split: {other: 1}}
`;
const bulkBytes = 2 * 1024 ** 3;
const bulkMs = 60_000;
/** Measured: 10 to 13 MiB on either side. */
const growthMaxKib = 32 * 1024;
const commands = 10_000;
/** About a kilobyte each. */
const rows = 101_000;

function md5(path: string): string {
  return createHash("md5").update(readFileSync(path)).digest("hex");
}

/** Of both proxies: kibibytes resident now, and the most since `forgetPeaks`. */
function resident(pids: readonly number[]): { now: number; most: number }[] {
  return pids.map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const read = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]);
    return { now: read("VmRSS"), most: read("VmHWM") };
  });
}

/** The most that is resident counts from now: what starting took is another matter. */
function forgetPeaks(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

describe.skipIf(binaryMissing)("an opaque connection", () => {
  let app: TestListener;
  let secured: Bun.Server<undefined>[] = [];
  let postgres: Postgres | null = null;
  let programs: Program[] = [];
  let mesh: Mesh;

  beforeAll(async () => {
    app = listen(runtime, { host, port: at.ends });
    secured = [await serveTls(at.one, "one.example"), await serveTls(at.two, "two.example")];
    if (hasPostgres) postgres = await startPostgres(host, at.postgres);
    programs = [await startNode("peers/opaque_server.ts", host, at.mail)];
    if (hasRedis) programs.push(await startRedis());
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: local }] },
        {
          name: "vm-b",
          services: [
            ...(hasPostgres ? ["db", "declared-db"] : []).map((service) => ({
              service,
              host,
              port: at.postgres,
            })),
            ...(hasRedis ? ["cache", "declared-cache"] : []).map((service) => ({
              service,
              host,
              port: at.redis,
            })),
            { service: "mail", host, port: at.mail },
            { service: "bulk", host, port: at.bulk },
            { service: "ends", host, port: at.ends },
            { service: "own-ends", host, port: at.ends },
            { service: "sealed", host, port: at.one },
            { service: "other", host, port: at.two },
          ],
        },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await postgres?.stop();
    await Promise.all(programs.map((program) => program.stop()));
    app?.listener.close();
    await Promise.all(secured.map((server) => server.stop(true)));
  });

  const near = (): string => mesh.machine("vm-a").address;
  const pids = (): number[] => ["vm-a", "vm-b"].map((name) => mesh.machine(name).proxy.pid);

  // First of all: the proxies have carried nothing yet. The second direction has proxies that were started for it.
  for (const direction of ["down", "up"])
    test(
      `carries 2 GiB ${direction} whole, and both proxies grow by less than 32 MiB from cold`,
      async () => {
        if (direction === "up") await restartProxies(mesh);
        forgetPeaks(pids());
        const before = resident(pids());
        const args = [direction, near(), String(local.bulk), String(bulkBytes)];
        const bulk = await runNode<Bulk>("peers/run_opaque_bulk.ts", args, { limitMs: bulkMs });
        expect(bulk).toEqual({ bytes: bulkBytes, whole: true });
        const grown = resident(pids()).map(({ most }, index) => most - (before[index]?.now ?? 0));
        const shown = [before.map(({ now }) => now), grown].map((pair) =>
          pair.map((each) => each >> 10).join(" and "),
        );
        process.stdout.write(
          `2 GiB ${direction}: ${shown[0]} MiB resident before, at most ${shown[1]} MiB more\n`,
        );
        for (const each of grown) expect(each).toBeLessThan(growthMaxKib);
      },
      testMs,
    );

  test.skipIf(!hasProgram("curl"))(
    "by CONNECT is routed by the server name behind it (needs curl)",
    async () => {
      const proxy = `http://${near()}:${mesh.machine("vm-a").httpPort("caller")}`;
      for (const name of ["one.example", "two.example"]) {
        const flags = ["--silent", "--show-error", "--insecure", "--proxy", proxy];
        const way = ["--connect-to", `${name}:443:sealed.mesh:443`];
        const curl = Bun.spawn(["curl", ...flags, ...way, `https://${name}/`], { stderr: "pipe" });
        const [said, complained] = await Promise.all([curl.stdout.text(), curl.stderr.text()]);
        expect([said, complained]).toEqual([name, ""]);
      }
    },
  );

  for (const service of ["ends", "own-ends"] as const)
    describe(`to ${service}`, () => {
      const late = patterned(1024 * 1024);

      test("goes on to the client whose own side has ended", async () => {
        const since = app.accepted.length;
        const client = await dialled(runtime, { host: near(), port: local[service], timeoutMs: hangMs });
        send(client, "that is all");
        client.socket.shutdown();
        const server = await nextAccepted(app, since);
        await expectEnd(server);
        await expectHeard(server, "that is all");
        await sendAll(server, late);
        await until(() => client.heard.received === late.length, "what came later arrives");
        expect(Buffer.concat(client.heard.chunks).equals(late)).toBe(true);
        expect(client.heard.ended).toBe(false);
        server.socket.shutdown();
        await expectEnd(client);
        await until(() => client.heard.closed && server.heard.closed, "both are closed");
        expect([client.heard.error, server.heard.error]).toEqual([null, null]);
      });

      test("goes on to the server whose own side has ended", async () => {
        const since = app.accepted.length;
        const client = await dialled(runtime, { host: near(), port: local[service], timeoutMs: hangMs });
        const server = await nextAccepted(app, since);
        send(server, "that is all");
        server.socket.shutdown();
        await expectEnd(client);
        await expectHeard(client, "that is all");
        await sendAll(client, late);
        await until(() => server.heard.received === late.length, "what came later arrives");
        expect(Buffer.concat(server.heard.chunks).equals(late)).toBe(true);
        expect(server.heard.ended).toBe(false);
        client.socket.shutdown();
        await expectEnd(server);
        await until(() => client.heard.closed && server.heard.closed, "both are closed");
        expect([client.heard.error, server.heard.error]).toEqual([null, null]);
      });
    });

  test.skipIf(!hasProgram("curl"))(
    "to a mail server is greeted at once, and brings a mail whole (port 25, undeclared; needs curl)",
    async () => {
      const mail = `${folder}/mail`;
      const body = `Subject: hello\r\n\r\n${"A line of a long letter that goes on and on.\r\n".repeat(100_000)}`;
      writeFileSync(mail, body);
      const url = `smtp://${near()}:${local.mail}`;
      const flags = ["--silent", "--show-error", "--mail-from", "a@mail.test", "--mail-rcpt", "b@mail.test"];
      runProgram(["curl", ...flags, "--upload-file", mail, url]);
      const last = await talkToMail(near(), local.mail);
      expect(last).toContain(`252 ${body.length} ${md5(mail)}`);
    },
  );

  describe.skipIf(!hasPostgres)("to PostgreSQL (needs postgresql)", () => {
    const dump = `${folder}/direct`;
    const made = `SELECT g, md5(g::text), repeat(md5((g + 1)::text), 30) FROM generate_series(1, ${rows}) g`;

    beforeAll(() => void psql(host, at.postgres, `\\copy (${made}) TO '${dump}'`));

    test("that nobody declared is seen by its well-known port", async () => {
      expect(psql(near(), local.db, "SELECT 1")).toBe("1");
      const { text } = await callUrl(`http://${near()}:${ports.admin}/metrics`);
      expect(text).toMatch(
        /^heddle_protocol_detected_total\{[^}]*service="db\.default"[^}]*by="port"[^}]*\} [1-9]/m,
      );
    });

    for (const service of ["db", "declared-db"] as const)
      describe(service === "db" ? "by its well-known port" : "declared as tcp", () => {
        const port = local[service];

        test("answers a query, in clear text and inside TLS of its own", () => {
          const sql = "SELECT 6 * 7, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
          expect(psql(near(), port, sql, "disable")).toBe("42|f");
          expect(psql(near(), port, sql, "prefer")).toBe("42|t");
          expect(psql(near(), port, sql, "require")).toBe("42|t");
        });

        test("copies 100 MB out, the same bytes", () => {
          const out = `${folder}/${service}-out`;
          psql(near(), port, `\\copy (${made}) TO '${out}'`);
          expect(readFileSync(out).length).toBeGreaterThan(100_000_000);
          expect(md5(out)).toBe(md5(dump));
        });

        test("copies 100 MB in, the same bytes", () => {
          const table = service.replace("-", "_");
          const back = `${folder}/${service}-back`;
          psql(host, at.postgres, `CREATE UNLOGGED TABLE ${table} (g int, a text, b text)`);
          psql(near(), port, `\\copy ${table} FROM '${dump}'`);
          psql(host, at.postgres, `\\copy (SELECT * FROM ${table} ORDER BY g) TO '${back}'`);
          expect(md5(back)).toBe(md5(dump));
        });

        test("notifies one who listens", async () => {
          const listener = new Dialogue(psqlCommand(near(), port), psqlEnvironment());
          listener.say("LISTEN news;\n\\echo listening\n");
          await listener.hears("listening");
          psql(near(), port, "NOTIFY news, 'hello'");
          listener.say("SELECT 1;\n");
          await listener.hears('Asynchronous notification "news" with payload "hello" received');
          await listener.end();
        });

        test("cancels a query on request, which is another connection", async () => {
          const waiting = new Dialogue(
            psqlCommand(near(), port, "-c", "SELECT pg_sleep(60)"),
            psqlEnvironment(),
          );
          const sleeps =
            "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'";
          await waitFor("the query runs", () => (psql(host, at.postgres, sleeps) === "1" ? true : null));
          waiting.signal("SIGINT");
          await waiting.hears("canceling statement due to user request");
          await waiting.end();
          expect(psql(host, at.postgres, sleeps)).toBe("0");
        });
      });
  });

  for (const service of ["cache", "declared-cache"] as const)
    describe.skipIf(!hasRedis)(
      `to Redis (needs redis-server) ${service === "cache" ? "by its well-known port" : "declared as tcp"}`,
      () => {
        const port = String(local[service]);
        let idle: Dialogue;
        const redis = (...args: string[]): string =>
          runProgram(["redis-cli", "-h", near(), "-p", port, ...args]).trimEnd();

        beforeAll(async () => {
          idle = new Dialogue(["redis-cli", "-h", near(), "-p", port, "SUBSCRIBE", `news-${service}`]);
          await idle.hears("subscribe");
        });
        afterAll(async () => await idle?.stop());

        test("sets and gets", () => {
          expect(redis("SET", "key", "value")).toBe("OK");
          expect(redis("GET", "key")).toBe("value");
        });

        test("runs a transaction", async () => {
          const client = new Dialogue(["redis-cli", "-h", near(), "-p", port]);
          client.say(`DEL n-${service}\nMULTI\nINCR n-${service}\nINCRBY n-${service} 41\nEXEC\n`);
          await client.end();
          expect(client.said.trim().split("\n").slice(1)).toEqual(["OK", "QUEUED", "QUEUED", "1", "42"]);
        });

        const megabytes = service === "cache" ? 64 : 8;
        test(`takes and gives a value of ${megabytes} MiB, the same bytes`, () => {
          const valueBytes = megabytes * 1024 * 1024;
          const [value, back] = [`${folder}/value`, `${folder}/${service}-value`];
          writeFileSync(value, patterned(valueBytes));
          const client = `redis-cli -h ${near()} -p ${port}`;
          expect(runProgram(["sh", "-c", `${client} -x SET large < ${value}`]).trim()).toBe("OK");
          runProgram(["sh", "-c", `${client} GET large | head -c ${valueBytes} > ${back}`]);
          expect(md5(back)).toBe(md5(value));
        });

        test("answers 10,000 commands sent in one go, in order", () => {
          const pipe = `${folder}/${service}-pipe`;
          const key = `list-${service}`;
          writeFileSync(pipe, Array.from({ length: commands }, (_, n) => `RPUSH ${key} ${n}\r\n`).join(""));
          const said = runProgram(["sh", "-c", `redis-cli -h ${near()} -p ${port} --pipe < ${pipe}`]);
          expect(said).toContain(`errors: 0, replies: ${commands}`);
          const list = redis("LRANGE", key, "0", "-1").split("\n").map(Number);
          expect(list).toEqual(Array.from({ length: commands }, (_, n) => n));
        });

        test("tells a subscriber that was idle meanwhile", async () => {
          expect(redis("PUBLISH", `news-${service}`, "at last")).toBe("1");
          await idle.hears("at last");
        });
      },
    );
});

/** HTTPS that answers with the name it has a certificate of. */
async function serveTls(port: number, name: string): Promise<Bun.Server<undefined>> {
  const { chainPem, keyPem } = await (await makeTestAuthority()).issue({ dns: [name] });
  const tls = { cert: chainPem, key: keyPem };
  return Bun.serve({ hostname: host, port, tls, fetch: () => new Response(name) });
}

async function restartProxies(mesh: Mesh): Promise<void> {
  for (const name of ["vm-a", "vm-b"]) {
    await mesh.machine(name).proxy.stop();
    await mesh.machine(name).proxy.start();
  }
  await mesh.settled();
}

async function startRedis(): Promise<Program> {
  const flags = { bind: host, port: String(at.redis), dir: folder, save: "", "protected-mode": "no" };
  const program = startProgram({
    name: "redis-server",
    command: ["redis-server", ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])],
    log: `${folder}/redis.log`,
    env: plainEnvironment(),
  });
  const ready = async (): Promise<true | null> => ((await accepts(host, at.redis)) ? true : null);
  await waitFor("redis-server accepts", ready, { program });
  return program;
}

/** What the mail server says of the last mail. */
async function talkToMail(address: string, port: number): Promise<string> {
  const end = await dialled(runtime, { host: address, port, timeoutMs: hangMs });
  await until(() => end.heard.text().startsWith("220 "), "the server greets");
  send(end, "VRFY last\r\nQUIT\r\n");
  await until(() => end.heard.ended, "the server says goodbye");
  end.socket.shutdown();
  return end.heard.text();
}
