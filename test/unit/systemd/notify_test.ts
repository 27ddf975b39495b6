/** What a process tells its service manager, read at the other end of a real socket. */
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { Notifier } from "../../../src/systemd/notify.ts";
import { NotifySocket } from "../../support/notify_socket.ts";
import { runtime } from "../../support/runtime_under_test.ts";

const folder = mkdtempSync(`${tmpdir()}/heddle-notify-`);
let manager: NotifySocket | null = null;
afterEach(() => {
  manager?.close();
  rmSync(folder, { recursive: true, force: true });
});

function notifier(env: Record<string, string>, native = runtime.native): Notifier {
  return new Notifier(native, { env, pid: 42 });
}

test.each([
  ["a path", `${folder}/manager`],
  ["an abstract name", `@heddle-notify-${process.pid}`],
])("lines reach a manager that listens at %s, in one datagram", (_, name) => {
  manager = new NotifySocket(name);
  const told = notifier({ NOTIFY_SOCKET: name });
  expect(told.listens).toBe(true);
  expect(told.tell("READY=1", "STATUS=all is well: äöü")).toBe(true);
  expect(told.tell("WATCHDOG=1")).toBe(true);
  expect(manager.received()).toEqual(["READY=1\nSTATUS=all is well: äöü", "WATCHDOG=1"]);
});

test.each([
  ["there is no manager", {}],
  ["its socket has a name of another kind", { NOTIFY_SOCKET: "vsock:2:1234" }],
  ["its name does not fit into an address", { NOTIFY_SOCKET: `/${"x".repeat(108)}` }],
])("nothing is told where %s", (_, env) => {
  const told = notifier(env);
  expect(told.listens).toBe(false);
  expect(told.tell("READY=1")).toBe(false);
});

test("nothing is told where the host has no native calls", () => {
  const told = notifier({ NOTIFY_SOCKET: "/run/manager" }, { ...runtime.native, available: false });
  expect(told.listens).toBe(false);
});

test("a manager that is gone took nothing", () => {
  expect(notifier({ NOTIFY_SOCKET: `${folder}/nobody` }).tell("READY=1")).toBe(false);
});

test("the watchdog is that of this process alone", () => {
  const env = { NOTIFY_SOCKET: "/run/manager", WATCHDOG_USEC: "10000000" };
  expect(notifier(env).watchdogMs).toBe(10_000);
  expect(notifier({ ...env, WATCHDOG_PID: "42" }).watchdogMs).toBe(10_000);
  expect(notifier({ ...env, WATCHDOG_PID: "41" }).watchdogMs).toBe(null);
  expect(notifier({ NOTIFY_SOCKET: "/run/manager" }).watchdogMs).toBe(null);
  expect(notifier({ WATCHDOG_USEC: "10000000" }).watchdogMs).toBe(null);
});
