/** Listeners over a restart: what a service manager is handed when a service ends, and what the process after it makes of it. */
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeptListeners } from "../../../src/app/kept_listeners.ts";
import { NotifySocket } from "../../support/notify_socket.ts";
import { testMs } from "../../support/patience.ts";
import { runtime } from "../../support/runtime_under_test.ts";
import { dialled, Recorder, until } from "../../support/sockets.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function manager(): NotifySocket {
  const folder = mkdtempSync(`${tmpdir()}/heddle-kept-`);
  const socket = new NotifySocket(`${folder}/notify`);
  ends.push(() => {
    socket.close();
    rmSync(folder, { recursive: true });
  });
  return socket;
}

function service(env: Record<string, string>): KeptListeners {
  return new KeptListeners({ ...runtime, process: { ...runtime.process, env } });
}

function freePort(): number {
  const found = runtime.net.listen({ host: "127.0.0.1", port: 0 }, () => new Recorder());
  found.close();
  return found.port;
}

const dial = (port: number) => dialled(runtime, { host: "127.0.0.1", port, timeoutMs: testMs });

for (const host of ["127.0.0.1", "::1"])
  test(
    `who connects to ${host} between two processes of a service is served by the second one`,
    async () => {
      const notified = manager();
      const first = service({ NOTIFY_SOCKET: notified.name });
      const port = freePort();
      const listener = first.listen({ host, port }, () => new Recorder());
      expect(listener.port).toBe(port);
      await first.leave();
      const told = notified.receive();
      expect(told?.text.split("\n")).toEqual(["FDSTORE=1", "FDNAME=heddle-listener"]);
      listener.close();
      const waiting = await dialled(runtime, { host, port, timeoutMs: testMs });

      const program = [process.execPath, join(import.meta.dirname, "../../support/kept_child.ts")];
      const env = {
        ...(process.env as Record<string, string>),
        NOTIFY_SOCKET: notified.name,
        LISTEN_FDS: "1",
        LISTEN_FDNAMES: "heddle-listener",
      };
      const words = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", ...program, String(port), host];
      const child = Bun.spawn(words, {
        env,
        stdio: ["ignore", "inherit", "inherit", told?.descriptor as number],
      });
      await until(() => waiting.heard.text() === "hello from the next one", "the next one greets");
      expect(await child.exited).toBe(0);
      // What it took is kept no longer: if it fails, nobody waits.
      expect(notified.receive()).toEqual({
        text: "FDSTOREREMOVE=1\nFDNAME=heddle-listener",
        descriptor: null,
      });
    },
    testMs,
  );

test("a listener that closes before the end is not kept", async () => {
  const notified = manager();
  const kept = service({ NOTIFY_SOCKET: notified.name });
  const port = freePort();
  const listener = kept.listen({ host: "127.0.0.1", port }, () => new Recorder());
  expect((await dial(port)).socket).not.toBeNull();
  listener.close();
  await kept.leave();
  expect(notified.receive()).toBeNull();
  expect(kept.has({ host: "127.0.0.1", port })).toBe(false);
  const again = runtime.net.listen({ host: "127.0.0.1", port }, () => new Recorder());
  ends.push(() => again.close());
});

test("one that opens again while the service ends has the same socket", async () => {
  const kept = service({ NOTIFY_SOCKET: manager().name });
  const port = freePort();
  const listen = () => kept.listen({ host: "127.0.0.1", port }, () => new Recorder());
  const listener = listen();
  await kept.leave();
  listener.close();
  const waiting = await dial(port);
  const again = listen();
  ends.push(() => again.close());
  await until(() => waiting.socket !== null, "it is taken");
});

test("without a manager, and with sockets of another process, there is nothing to keep", async () => {
  const port = freePort();
  const env = { LISTEN_FDS: "1", LISTEN_PID: "1", LISTEN_FDNAMES: "heddle-listener" };
  for (const kept of [service(env), service({ ...env, NOTIFY_SOCKET: manager().name })])
    expect(kept.has({ host: "127.0.0.1", port })).toBe(false);
  const alone = service({});
  const listener = alone.listen({ host: "127.0.0.1", port }, () => new Recorder());
  await alone.leave();
  listener.close();
  const again = runtime.net.listen({ host: "127.0.0.1", port }, () => new Recorder());
  again.close();
});
