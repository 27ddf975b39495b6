/**
 * What a process tells the service manager that started it: datagrams of lines `NAME=value` to the socket that the environment names
 * (sd_notify(3), section "Notification Protocol"). Nothing where nobody listens, or where the host has no native calls.
 */
import type { Native, ProcessHost } from "../../runtime/contract.ts";
import { DatagramSender, type Sent } from "./datagram_sender.ts";

export class Notifier {
  readonly #sender: DatagramSender;
  /** How long the manager bears to hear no `WATCHDOG=1`, milliseconds; null: for ever. */
  readonly watchdogMs: number | null;

  constructor(native: Native, { env, pid }: Pick<ProcessHost, "env" | "pid">) {
    this.#sender = new DatagramSender(native, env["NOTIFY_SOCKET"] ?? "");
    this.watchdogMs = this.listens ? watchdogOf(env, pid) : null;
  }

  /** Whether a manager wants to hear anything. */
  get listens(): boolean {
    return this.#sender.usable;
  }

  /** The same, with a descriptor that the manager keeps. `later`: it has no room now. */
  hand(descriptor: number, ...lines: readonly string[]): Sent {
    return this.#sender.sendWith(new TextEncoder().encode(lines.join("\n")), descriptor);
  }

  /** One datagram. false: it was not taken, now. */
  tell(...lines: readonly string[]): boolean {
    return this.#sender.send(new TextEncoder().encode(lines.join("\n"))) === "sent";
  }
}

/** Of this very process alone: the variables may have been inherited. */
function watchdogOf(env: ProcessHost["env"], pid: number): number | null {
  const microseconds = Number(env["WATCHDOG_USEC"] ?? "");
  const whose = env["WATCHDOG_PID"] ?? "";
  if (!(microseconds > 0) || (whose !== "" && Number(whose) !== pid)) return null;
  return microseconds / 1000;
}
