/**
 * A proxy that ends and the one that comes after it, from the same state folder: while the old one lets what is open finish, both
 * listen on the same ports, so nobody is refused in between. Two that mean to stay do not: the second finds the ports taken. Where a
 * service manager starts the next one when this one is gone, it keeps the listeners meanwhile.
 */
import type { BindOptions, BoundPort, Net, Runtime } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { KeptListeners } from "./kept_listeners.ts";
import type { StateFolder } from "./state_folder.ts";
import type { StoredSocket } from "../systemd/socket_store.ts";

/** What the folder says while a proxy ends: its process, and the one that follows it. */
interface Mark {
  readonly ending: number;
  readonly successor: number | null;
  /** The successor serves. */
  readonly serves: boolean;
}

export class Succession {
  #follows = false;
  readonly #kept: KeptListeners;

  constructor(
    readonly runtime: Pick<Runtime, "net" | "ports" | "native" | "clock" | "files" | "process">,
    readonly folder: StateFolder,
  ) {
    this.#kept = new KeptListeners(runtime);
  }

  /** Before it listens: from a proxy that serves until this one does, with its sockets. */
  takeOver(given: readonly StoredSocket[]): void {
    this.#kept.takeOver(given);
    this.#follows = true;
  }

  /** For a successor that is to serve beside this one. */
  get descriptors(): readonly number[] {
    return this.#kept.descriptors;
  }

  /** Before it listens: where a proxy of this folder ends, and no other follows it already, this one does. */
  async follow(): Promise<void> {
    const mark = this.#mark();
    if (mark === null || !this.#lives(mark.ending)) return;
    if (mark.successor !== null && this.#lives(mark.successor)) return;
    this.#follows = true;
    await this.#write({ ...mark, successor: this.runtime.process.pid, serves: false });
  }

  /** This one serves: whom it follows need not wait for it. */
  async stand(): Promise<void> {
    const mark = this.#follows ? this.#mark() : null;
    if (mark?.successor === this.runtime.process.pid) await this.#write({ ...mark, serves: true });
  }

  /** Once this one ends: resolves when the successor that has started, if one has, serves or is gone. */
  async followed(): Promise<void> {
    for (;;) {
      const mark = this.#mark();
      if (mark === null || mark.ending !== this.runtime.process.pid || mark.serves) return;
      if (mark.successor === null || !this.#lives(mark.successor)) return;
      await new Promise<void>((done) => void this.runtime.clock.after(limits.successorLookMs, done, true));
    }
  }

  /** The same network, with listeners that a successor may stand beside. */
  get net(): Net {
    const { net } = this.runtime;
    return {
      ...net,
      listen: (options, accept) => {
        if (options.port === 0) return net.listen(options, accept);
        if (!this.#follows && !this.#kept.has(options)) net.listen(options, accept).close();
        return this.#kept.listen({ ...options, reusePort: true }, accept);
      },
      udp: async (options, receive) => {
        if (options.port === 0) return await net.udp(options, receive);
        if (!this.#follows && !this.#kept.has(options, "udp")) (await net.udp(options, () => {})).close();
        return await this.#kept.udp({ ...options, reusePort: true }, receive);
      },
    };
  }

  /**
   * A port that others accept from, beside which a successor's may stand. Beside one that ends nobody connects here before somebody
   * accepts: until then all go to that one.
   */
  bind(options: BindOptions): BoundPort {
    const { ports } = this.runtime;
    if (options.port === 0) return ports.bind(options);
    if (!this.#follows && !this.#kept.has(options)) ports.bind(options).close();
    return this.#kept.bind({ ...options, reusePort: true, listens: !this.#follows });
  }

  /** This one ends: its successor need not wait. */
  async begin(): Promise<void> {
    this.#follows = false;
    await this.#kept.leave();
    await this.#write({ ending: this.runtime.process.pid, successor: null, serves: false });
  }

  /** It has ended. */
  async end(): Promise<void> {
    if (this.#mark()?.ending === this.runtime.process.pid)
      await this.runtime.files.remove(this.folder.ending);
  }

  #lives(pid: number): boolean {
    return this.runtime.process.residentBytesOf(pid) !== null;
  }

  async #write(mark: Mark): Promise<void> {
    await this.runtime.files.writeAtomic(this.folder.ending, JSON.stringify(mark), 0o600);
  }

  /** What was damaged says nothing: the ports are taken then. */
  #mark(): Mark | null {
    const bytes = this.runtime.files.readSync(this.folder.ending);
    if (bytes === null) return null;
    try {
      const mark = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Mark> | null;
      return typeof mark?.ending === "number"
        ? { ending: mark.ending, successor: mark.successor ?? null, serves: mark.serves === true }
        : null;
    } catch {
      return null;
    }
  }
}
