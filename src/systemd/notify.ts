/**
 * What a process tells the service manager that started it: datagrams of lines `NAME=value` to the socket that the environment names
 * (sd_notify(3), section "Notification Protocol"). Nothing where nobody listens, or where the host has no native calls.
 */
import type { Native, ProcessHost } from "../../runtime/contract.ts";

// From the Linux headers: AF_UNIX; SOCK_DGRAM with SOCK_NONBLOCK and SOCK_CLOEXEC; MSG_NOSIGNAL.
const unixFamily = 1;
const datagramType = 2 | 0o4000 | 0o2000000;
const noSignal = 0x4000;
/** What fits into `sun_path` beside its end (unix(7)). */
const pathBytesMax = 107;

export class Notifier {
  readonly #address: Uint8Array | null;
  readonly #native: Native;
  #socket = -1;
  /** How long the manager bears to hear no `WATCHDOG=1`, milliseconds; null: for ever. */
  readonly watchdogMs: number | null;

  constructor(native: Native, { env, pid }: Pick<ProcessHost, "env" | "pid">) {
    this.#native = native;
    this.#address = native.available ? socketAddressOf(env["NOTIFY_SOCKET"] ?? "") : null;
    this.watchdogMs = this.listens ? watchdogOf(env, pid) : null;
  }

  /** Whether a manager wants to hear anything. */
  get listens(): boolean {
    return this.#address !== null;
  }

  /** One datagram. false: it was not taken, now. */
  tell(...lines: readonly string[]): boolean {
    if (this.#address === null) return false;
    const { socket, sendto } = this.#native.library("libc.so.6", {
      socket: { args: ["i32", "i32", "i32"], returns: "i32" },
      sendto: { args: ["i32", "buffer", "u64", "i32", "buffer", "u32"], returns: "i64" },
    });
    if (this.#socket < 0) this.#socket = socket(unixFamily, datagramType, 0);
    if (this.#socket < 0) return false;
    const bytes = new TextEncoder().encode(lines.join("\n"));
    return (
      sendto(this.#socket, bytes, bytes.length, noSignal, this.#address, this.#address.length) ===
      bytes.length
    );
  }
}

/** `struct sockaddr_un`; `@` in front stands for a name without a file. null: no such socket can be reached from here. */
function socketAddressOf(name: string): Uint8Array | null {
  if (!name.startsWith("/") && !name.startsWith("@")) return null;
  const path = new TextEncoder().encode(name);
  if (path.length < 2 || path.length > pathBytesMax) return null;
  const isAbstract = name.startsWith("@");
  if (isAbstract) path[0] = 0;
  const address = new Uint8Array(2 + path.length + (isAbstract ? 0 : 1));
  new DataView(address.buffer).setUint16(0, unixFamily, true);
  address.set(path, 2);
  return address;
}

/** Of this very process alone: the variables may have been inherited. */
function watchdogOf(env: ProcessHost["env"], pid: number): number | null {
  const microseconds = Number(env["WATCHDOG_USEC"] ?? "");
  const whose = env["WATCHDOG_PID"] ?? "";
  if (!(microseconds > 0) || (whose !== "" && Number(whose) !== pid)) return null;
  return microseconds / 1000;
}
