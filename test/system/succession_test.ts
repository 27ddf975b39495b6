/**
 * A proxy that is asked to end with one idle opaque connection, and its successor: whether that starts at once or when the old one is
 * gone, new connections are served all the time, or all but the time that a start takes.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { encode } from "dns-packet";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { ports } from "../../src/model/ports.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { plainEnvironment, startProgram, waitFor } from "../support/processes.ts";
import { runtime } from "../support/runtime_under_test.ts";
import { dialled, until, type End } from "../support/sockets.ts";
import { talk } from "../support/tcp_calls.ts";
import { heddle } from "../support/command.ts";
import { hangMs, testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: queue, port: 7000, protocol: tcp}
`;
const local = { web: 9001, queue: 9002 } as const;
/** Without it the gap is the whole time of a drain; a start takes a fraction of this, also on a busy machine. */
const gapMaxMs = limits.drainMs / 2;

describe.skipIf(binaryMissing)("a proxy with one idle opaque connection", () => {
  let mesh: Mesh;
  let machine: Machine;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: local }] },
        { name: "vm-b", services: [{ service: "web" }, { service: "queue", app: "tcp" }] },
      ],
    });
    machine = mesh.machine("vm-a");
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
  });

  async function openIdle(): Promise<End> {
    const end = await dialled(runtime, { host: machine.address, port: local.queue, timeoutMs: hangMs });
    await until(() => end.heard.text().startsWith("queue"), "the queue greets");
    return end;
  }

  /** Calls on new connections, one after the other, until it is told to stop. */
  function watch() {
    const calls: { readonly atMs: number; readonly good: boolean }[] = [];
    let going = true;
    const request = "GET /healthz HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n";
    const run = async (): Promise<void> => {
      while (going) {
        const text = await talk(machine.address, local.web, request).catch(() => "");
        calls.push({ atMs: performance.now(), good: text.startsWith("HTTP/1.1 200") });
        await Bun.sleep(2);
      }
    };
    const running = run();
    return async () => {
      going = false;
      await running;
      let gapMs = 0;
      let lastMs = calls[0]?.atMs ?? 0;
      for (const { atMs, good } of calls) {
        if (!good) continue;
        gapMs = Math.max(gapMs, atMs - lastMs);
        lastMs = atMs;
      }
      return { calls: calls.length, failed: calls.filter(({ good }) => !good).length, gapMs };
    };
  }

  /** Asks DNS of this machine, one query after the other, until it is told to stop. Who is not answered does not ask again. */
  function ask() {
    const socket = createSocket("udp4");
    const open = new Map<number, number>();
    let [id, longestMs] = [0, 0];
    socket.on("message", (bytes) => {
      const answered = bytes.readUInt16BE(0);
      longestMs = Math.max(longestMs, performance.now() - (open.get(answered) ?? Number.NaN) || 0);
      open.delete(answered);
    });
    // Where nobody stands.
    socket.on("error", () => {});
    const asking = setInterval(() => {
      open.set(++id, performance.now());
      const questions = [{ name: "web.mesh", type: "A" }] as const;
      socket.send(encode({ type: "query", id, questions: [...questions] }), ports.dns, machine.address);
    }, 5);
    return async () => {
      clearInterval(asking);
      await Bun.sleep(500);
      socket.close();
      return { asked: id, unanswered: open.size, longestMs: Math.round(longestMs) };
    };
  }

  async function untilGone(pid: number): Promise<void> {
    const gone = (): true | null => (runtime.process.residentBytesOf(pid) === null ? true : null);
    await waitFor("the old proxy has ended", gone, { limitMs: limits.drainMs + hangMs });
  }

  test(
    "has a successor that starts at once beside it, and nobody is refused",
    async () => {
      const idle = await openIdle();
      // However long the start takes on a busy machine, the old one is there that long.
      const busy = await openIdle();
      const passing = setInterval(() => busy.socket.write(Buffer.from("more\n")), limits.drainIdleMs / 8);
      const { pid } = machine.proxy;
      const watched = watch();
      const asked = ask();
      await Bun.sleep(100);
      machine.proxy.signal("SIGTERM");
      const ended = machine.proxy.output().length;
      await waitFor("it ends", () => (machine.proxy.output().length > ended ? true : null));
      const started = machine.proxy.start();
      // The old one answers /ready beside it, and that it ends.
      const serves = (): true | null =>
        machine.proxy.output().slice(ended).includes(`proxy: ${machine.name} of`) || null;
      await waitFor("the successor serves", serves);
      clearInterval(passing);
      busy.socket.destroy();
      await started;
      await untilGone(pid);
      await Bun.sleep(200);
      const found = await watched();
      const names = await asked();
      console.log(`a successor beside it: ${JSON.stringify(found)}, names: ${JSON.stringify(names)}`);
      // Those that stood in the queue of the old socket when it closed.
      expect(names.unanswered).toBeLessThanOrEqual(1);
      expect(names.asked).toBeGreaterThan(50);
      expect(idle.heard.error?.kind).toBe("reset");
      // Those that stood in the queue of the old listener when it closed.
      expect(found.failed).toBeLessThanOrEqual(1);
      expect(found.gapMs).toBeLessThan(gapMaxMs);
    },
    testMs,
  );

  test(
    "has a successor that starts when it is gone, and new connections wait for that start alone",
    async () => {
      await openIdle();
      const { pid } = machine.proxy;
      const watched = watch();
      await Bun.sleep(100);
      const startedMs = performance.now();
      machine.proxy.signal("SIGTERM");
      await untilGone(pid);
      const tookMs = performance.now() - startedMs;
      await machine.proxy.start();
      await Bun.sleep(200);
      const found = await watched();
      console.log(`a successor after it: ended in ${tookMs} ms, ${JSON.stringify(found)}`);
      expect(tookMs).toBeGreaterThan(limits.drainIdleMs);
      expect(found.gapMs).toBeLessThan(gapMaxMs);
    },
    testMs,
  );

  test("and means to stay leaves its ports to nobody", () => {
    const said = heddle(["proxy"], { state: machine.state });
    expect(said.code).toBe(2);
    expect(said.err).toContain(`(pid ${machine.proxy.pid})`);
  });

  test.each([
    ["--drain", ["--drain", "1s"], {}],
    ["HEDDLE_DRAIN", [], { HEDDLE_DRAIN: "1s" }],
  ] as const)(
    "ends what is still open after the time that %s sets",
    async (_name, flags, env) => {
      await machine.proxy.stop();
      const program = startProgram({
        name: "proxy",
        command: [binaryPath, "proxy", "--state", machine.state, ...flags],
        log: `${mesh.folder}/drain.log`,
        env: plainEnvironment(env),
      });
      const open = (): Promise<End | null> => openIdle().catch(() => null);
      const end = await waitFor("it serves", open, { program });
      const startedMs = performance.now();
      program.kill("SIGTERM");
      await program.exited;
      const tookMs = performance.now() - startedMs;
      await until(() => end.heard.closed, "it is cut");
      expect(tookMs).toBeGreaterThan(900);
      expect(tookMs).toBeLessThan(limits.drainMs / 2);
      await machine.proxy.start();
    },
    60_000,
  );

  test("tells what is no time", () => {
    for (const wrong of ["soon", "5", "25h"]) {
      const said = heddle(["proxy", "--drain", wrong], { state: machine.state });
      expect(said.code).toBe(2);
      expect(said.err).toContain(
        `Cannot use --drain "${wrong}": expected a duration such as 5s or 10m, at most 24h`,
      );
    }
  });
});
