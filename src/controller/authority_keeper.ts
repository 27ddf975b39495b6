/**
 * Keeps the controllers of a mesh agreed on its authority: the one with the root's key writes which roots are trusted, signed, and the
 * others take that over.
 */
import { OneAtATime } from "../base/one_at_a_time.ts";
import type { Authority } from "../identity/authority.ts";
import { authorityMark, type Catalog } from "./catalog.ts";
import type { StateStore } from "./state_store.ts";

export interface AuthorityKeeperOptions {
  readonly authority: Authority;
  readonly catalog: Pick<Catalog, "authority" | "authorityAt" | "nodes" | "places" | "reached">;
  readonly store: Pick<StateStore, "commit">;
  /** The roots or the signer are others now. */
  readonly changed: () => Promise<void>;
  readonly log: (text: string) => void;
}

export class AuthorityKeeper {
  readonly #work = new OneAtATime(() => this.#look());
  #problem = "";

  constructor(readonly options: AuthorityKeeperOptions) {}

  /** The catalog changed, or the authority did. What cannot be done now is tried with its next change. */
  look(): void {
    this.#work.ask();
  }

  async #look(): Promise<void> {
    try {
      await (this.options.authority.hasRoot ? this.#say() : this.#follow());
      this.#problem = "";
    } catch (error) {
      const problem = (error as Error).message;
      if (problem !== this.#problem) this.options.log(`cannot agree on the authority: ${problem}`);
      this.#problem = problem;
    }
  }

  async #say(): Promise<void> {
    const { authority, catalog, store } = this.options;
    for (const name of authority.controllersGiven)
      if (catalog.nodes.get(name)?.removed === true) await authority.forgetController(name);
    const said = authority.signedShared();
    // A controller that is alone has nobody to tell.
    if (catalog.places.size === 0 || said.text === catalog.authority?.text) return;
    const { ok, revision } = await store.commit(
      [{ key: authorityMark, modified: catalog.authorityAt }],
      [{ do: "put", key: authorityMark, value: JSON.stringify(said) }],
    );
    if (ok) await catalog.reached(revision);
  }

  async #follow(): Promise<void> {
    const { authority, catalog, changed } = this.options;
    if (catalog.authority !== null && (await authority.follow(catalog.authority))) await changed();
  }
}
