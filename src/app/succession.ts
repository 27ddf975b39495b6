/**
 * A proxy that ends and the one that comes after it, from the same state folder: while the old one lets what is open finish, both
 * listen on the same ports, so nobody is refused in between. Two that mean to stay do not: the second finds the ports taken.
 */
import type { Net, Runtime } from "../../runtime/contract.ts";
import type { StateFolder } from "./state_folder.ts";

export class Succession {
  constructor(
    readonly runtime: Pick<Runtime, "net" | "files" | "process">,
    readonly folder: StateFolder,
  ) {}

  /** The same network, with listeners that a successor may stand beside. */
  get net(): Net {
    const { net } = this.runtime;
    return {
      ...net,
      listen: (options, accept) => {
        if (options.port === 0) return net.listen(options, accept);
        if (!this.#predecessorEnds) net.listen(options, accept).close();
        return net.listen({ ...options, reusePort: true }, accept);
      },
    };
  }

  /** This one ends: its successor need not wait. */
  async begin(): Promise<void> {
    const { files, process } = this.runtime;
    await files.writeAtomic(this.folder.ending, String(process.pid), 0o600);
  }

  /** It has ended. */
  async end(): Promise<void> {
    if (this.#ending === this.runtime.process.pid) await this.runtime.files.remove(this.folder.ending);
  }

  get #predecessorEnds(): boolean {
    const { process } = this.runtime;
    const pid = this.#ending;
    return pid !== null && pid !== process.pid && process.residentBytesOf(pid) !== null;
  }

  /** Process of the proxy that said last that it ends. */
  get #ending(): number | null {
    const bytes = this.runtime.files.readSync(this.folder.ending);
    return bytes === null ? null : Number(new TextDecoder().decode(bytes));
  }
}
