/**
 * Entries for the journal of systemd with fields of their own, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), where
 * standard output leads there anyway. What its reader has no room for now waits, bounded; beyond that it is dropped and counted.
 */
import type { Native, ProcessHost } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { DatagramSender } from "./datagram_sender.ts";

const journalSocket = "/run/systemd/journal/socket";

/** Of syslog(3). */
export const journalPriorities = { error: 3, warning: 4, info: 6 } as const;

/** Names are of capital letters, digits and `_`, and begin with a letter. */
export type JournalFields = Readonly<Record<string, string>>;

/**
 * A value with an end of line has its length before it (64 bits, little-endian); others stand behind `=`.
 * @visibleForTesting
 */
export function encodeEntry(fields: JournalFields): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (!value.includes("\n")) {
      parts.push(encoder.encode(`${name}=${value}\n`));
      continue;
    }
    const bytes = encoder.encode(value);
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length), true);
    parts.push(encoder.encode(`${name}\n`), length, bytes, encoder.encode("\n"));
  }
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export class Journal {
  readonly #sender: DatagramSender;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #lost = 0;

  constructor(native: Native, path: string = journalSocket) {
    this.#sender = new DatagramSender(native, path);
  }

  /** Entries that were dropped. */
  get lost(): number {
    return this.#lost;
  }

  /** False: there is no journal any more that takes it. */
  write(fields: JournalFields): boolean {
    const entry = encodeEntry(fields);
    this.flush();
    const sent = this.#waiting.length > 0 ? "later" : this.#sender.send(entry);
    if (sent === "later") this.#keep(entry);
    return sent !== "never";
  }

  /** Writes what it has room for now of what waits. */
  flush(): void {
    let count = 0;
    while (count < this.#waiting.length) {
      const entry = this.#waiting[count] as Uint8Array;
      const sent = this.#sender.send(entry);
      if (sent === "later") break;
      if (sent === "never") this.#lost++;
      this.#bytes -= entry.length;
      count++;
    }
    if (count > 0) this.#waiting = this.#waiting.slice(count);
  }

  #keep(entry: Uint8Array): void {
    if (this.#bytes + entry.length > limits.logWaitingCharactersMax) {
      this.#lost++;
      return;
    }
    this.#waiting.push(entry);
    this.#bytes += entry.length;
  }
}

/**
 * Whether this descriptor leads to the journal, as a service manager says by JOURNAL_STREAM (systemd.exec(5)): `device:inode` of what it
 * made. A child whose output leads elsewhere inherits the variable all the same.
 */
export function leadsToJournal(
  native: Native,
  { env }: Pick<ProcessHost, "env">,
  descriptor: number,
): boolean {
  const said = env["JOURNAL_STREAM"] ?? "";
  if (said === "" || !native.available) return false;
  const { fstat } = native.library("libc.so.6", { fstat: { args: ["i32", "buffer"], returns: "i32" } });
  // struct stat of x86-64 and arm64 begins with st_dev and st_ino, of 64 bits each.
  const stat = new Uint8Array(256);
  if (fstat(descriptor, stat) !== 0) return false;
  const view = new DataView(stat.buffer);
  return said === `${view.getBigUint64(0, true)}:${view.getBigUint64(8, true)}`;
}
