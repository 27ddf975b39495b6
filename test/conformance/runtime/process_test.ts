/** Contract of processes: a child has what it was given and nothing else, and all it says is heard before its end is. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Child, SpawnOptions } from "../../../runtime/contract.ts";
import { programOf, runtime } from "../../support/runtime_under_test.ts";
import { hangMs } from "../../support/patience.ts";
import { dialled, Recorder, until } from "../../support/sockets.ts";

const program = join(import.meta.dirname, "../../support/child.ts");

interface Started {
  readonly child: Child;
  out: string;
  err: string;
  ending: { readonly code: number | null; readonly signal: string | null } | null;
}

function start(task: string, options: Partial<SpawnOptions> = {}): Started {
  const spawn: SpawnOptions = {
    command: [...programOf(program), task],
    env: {},
    output: (text, stream) => {
      if (stream === "stdout") started.out += text;
      else started.err += text;
    },
    exited: (code, signal) => (started.ending = { code, signal }),
    ...options,
  };
  const started: Started = { out: "", err: "", ending: null, child: runtime.process.spawn(spawn) };
  return started;
}

describe("a child", () => {
  test("speaks over its channel, with the whole environment given", async () => {
    const started = start("channel", { channel: true, env: { GREETING: "hello" } });
    const heard = new Recorder();
    const socket = started.child.channel(heard);
    socket.write(new TextEncoder().encode("parent"));
    await until(() => heard.text().endsWith("parent"), "the child answers");
    expect(heard.text()).toBe("hello 1 parent");
    expect(runtime.process.residentBytesOf(started.child.pid)).toBeGreaterThan(1_000_000);
    expect(runtime.process.processorMsOf(started.child.pid)).toBeGreaterThanOrEqual(10);
    socket.shutdown();
    await until(() => started.ending !== null, "the child leaves");
    expect(started.ending).toEqual({ code: 7, signal: null });
    await until(() => heard.closed, "the channel closes");
    expect(runtime.process.residentBytesOf(started.child.pid)).toBeNull();
    expect(runtime.process.processorMsOf(started.child.pid)).toBeNull();
  });

  test("serves a port that it is handed, and writes to memory that it was started with", async () => {
    const memory = runtime.process.shareMemory(4_096);
    const counts = new Int32Array(memory.bytes);
    const bound = runtime.ports.bind({ host: "127.0.0.1", port: 0 });
    const started = start("serve", { channel: true, takesDescriptors: true, memory });
    const heard = new Recorder();
    const channel = started.child.channel(heard);
    expect(started.child.hand(bound.descriptor)).toBe(true);
    channel.write(new TextEncoder().encode("take it"));
    // Whoever connects meanwhile waits.
    const client = await dialled(runtime, { host: "127.0.0.1", port: bound.port, timeoutMs: hangMs });
    await until(() => client.heard.text() === `child ${started.child.pid}`, "the child serves");
    expect(heard.text()).toBe("serving");
    expect(Atomics.load(counts, 0)).toBe(1);
    client.socket.destroy();
    channel.shutdown();
    await until(() => started.ending !== null, "the child leaves");
    expect(started.child.hand(bound.descriptor)).toBe(false);
    bound.close();
    channel.destroy();
  });

  test("has the same clock", async () => {
    const beforeMs = runtime.clock.now();
    const started = start("time");
    await until(() => started.ending !== null, "the child leaves");
    expect(Number(started.out)).toBeGreaterThan(beforeMs);
    expect(Number(started.out)).toBeLessThan(runtime.clock.now());
  });

  test("that is killed closes its channel", async () => {
    const started = start("channel", { channel: true });
    const heard = new Recorder();
    const socket = started.child.channel(heard);
    socket.write(new TextEncoder().encode("x"));
    await until(() => heard.received > 0, "the child is up");
    started.child.kill("SIGKILL");
    await until(() => started.ending !== null && (heard.ended || heard.closed), "both are told");
    expect(started.ending).toEqual({ code: null, signal: "SIGKILL" });
    socket.destroy();
  });

  test("of a group is ended with what it started", async () => {
    const started = start("", { command: ["/bin/sh", "-c", "sleep 600 & echo $!; wait"], group: true });
    await until(() => started.out.endsWith("\n"), "it has started another one");
    const other = Number(started.out);
    expect(runtime.process.residentBytesOf(other)).toBeGreaterThan(0);
    started.child.kill("SIGKILL");
    await until(() => started.ending !== null, "its end is told");
    expect(started.ending).toEqual({ code: null, signal: "SIGKILL" });
    await until(() => runtime.process.residentBytesOf(other) === null, "the other one is gone");
  });

  test("that is let go is no child, goes on with what it was given, and ends with all that it has started", async () => {
    const memory = runtime.process.shareMemory(4_096);
    const bound = runtime.ports.bind({ host: "127.0.0.1", port: 0 });
    const command = [runtime.process.program, program, "serve"];
    const given = { channel: true, takesDescriptors: true, memory, output: "inherit" } as const;
    const started = start("", { ...given, command, apart: true });
    const heard = new Recorder();
    const channel = started.child.channel(heard);
    await until(() => started.ending !== null, "it is let go");
    expect(started.child.hand(bound.descriptor)).toBe(true);
    channel.write(new TextEncoder().encode("take it"));
    const client = await dialled(runtime, { host: "127.0.0.1", port: bound.port, timeoutMs: hangMs });
    await until(() => client.heard.text().startsWith("child "), "it serves");
    const pid = Number(client.heard.text().slice("child ".length));
    expect(readFileSync(`/proc/${pid}/stat`, "utf8")).not.toContain(`) S ${process.pid} `);
    started.child.kill("SIGKILL");
    await until(() => heard.closed, "its channel tells its end");
    expect(started.child.hand(bound.descriptor)).toBe(false);
    bound.close();
  });

  test("is heard to its last byte before its end is told", async () => {
    const started = start("print");
    await until(() => started.ending !== null, "the child leaves");
    expect(started.out.length).toBe(1_000_000);
    expect(started.err).toBe("problem");
    expect(started.ending?.code).toBe(3);
  });

  test("hears the signals it asked for", async () => {
    const started = start("signal");
    await until(() => started.out === "ready", "the child is up");
    started.child.kill("SIGTERM");
    await until(() => started.ending !== null, "the child leaves");
    expect(started.ending?.code).toBe(5);
  });

  test("that cannot be started is an error with its name", () => {
    expect(() =>
      runtime.process.spawn({ command: ["/absent/program"], env: {}, channel: true, exited: () => {} }),
    ).toThrow("/absent/program");
  });
});

describe("an exception nobody caught", () => {
  test("is printed and ends the process as failed", async () => {
    const started = start("fault");
    await until(() => started.ending !== null, "the child leaves");
    expect(started.ending?.code ?? 0).not.toBe(0);
    expect(started.err).toContain("nobody catches this");
  });

  test("goes to whoever asked for it", async () => {
    const started = start("caught fault");
    await until(() => started.ending !== null, "the child leaves");
    expect(started.out).toBe("heard of this");
    expect(started.ending?.code).toBe(0);
  });
});

test("usage tells memory, processor time and descriptors", () => {
  const usage = runtime.process.usage();
  expect(usage.residentBytes).toBeGreaterThan(1_000_000);
  expect(usage.cpuUs).toBeGreaterThan(1_000);
  expect(usage.openDescriptors).toBeGreaterThan(3);
});

test("a native call tells its error number", () => {
  const { close } = runtime.native.library("libc.so.6", { close: { args: ["i32"], returns: "i32" } });
  expect(close(-1)).toBe(-1);
  expect(runtime.native.errno()).toBe(9);
});
