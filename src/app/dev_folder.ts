/**
 * The folder that `heddle dev` runs: read whole, and again whenever a document or a policy in it is another one. What else
 * changes there, its own log for one, is no change.
 */
import type { Clock, Files, Timer } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { gatherFiles } from "./apply_files.ts";
import { splitMachines, type SplitFiles, type TextFile } from "./machine_files.ts";

export interface FolderContent extends SplitFiles {
  readonly policies: readonly TextFile[];
  /** Where each policy's file lies, by the name that it is sent under. */
  readonly places: ReadonlyMap<string, string>;
}

export class DevFolder {
  #seen = "";
  #timer: Timer | null = null;
  #watch: { close(): void } | null = null;
  #closed = false;

  constructor(
    readonly host: { readonly files: Files; readonly clock: Clock },
    readonly path: string,
  ) {}

  async read(): Promise<FolderContent> {
    const { files, policies, places } = await gatherFiles(this.host.files, [this.path], { empty: true });
    this.#seen = JSON.stringify([files, policies]);
    return { ...splitMachines(files), policies, places };
  }

  /** Resolves with what is there once that differs from what was read last. */
  async changed(): Promise<FolderContent> {
    for (;;) {
      await this.#pause();
      const before = this.#seen;
      // What goes while it is read is read again.
      const content = await this.read().catch(() => null);
      if (content !== null && this.#seen !== before) return content;
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#watch?.close();
  }

  /** Until something happens there; a watch does not see folders that come later, so now and then in any case. */
  #pause(): Promise<void> {
    const { files, clock } = this.host;
    return new Promise((resolve) => {
      const look = (afterMs: number): void => {
        this.#timer?.cancel();
        this.#timer = clock.after(afterMs, () => {
          this.#watch?.close();
          this.#watch = null;
          if (!this.#closed) resolve();
        });
      };
      this.#watch = files.watch(this.path, () => look(limits.publishDebounceMs * 2));
      look(limits.devLookMs);
    });
  }
}
