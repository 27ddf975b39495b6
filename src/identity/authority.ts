/**
 * The authority of one trust domain: roots that are trusted, an intermediate that signs, leaves for public keys whose
 * possession the caller has checked. The only file that touches signing keys; reachable from the controller alone.
 */
import { limits } from "../model/limits.ts";
import type { TrustBundle } from "../model/snapshot.ts";
import { loadIssuer, type LeafRequest, type LeafSigner, type Signer } from "./certificates.ts";
import { notAfterOf, pinOf } from "./keys.ts";

/** As it lies on disk. */
export interface AuthorityState {
  readonly format: 1;
  readonly trustDomain: string;
  /** Rises with every change of the roots. */
  readonly sequence: number;
  /** All trusted roots, oldest first: one, or two while they rotate. */
  readonly roots: readonly Signer[];
  /** Which root the intermediate was signed by. */
  readonly signingRoot: number;
  readonly intermediate: Signer;
  /** Until when leaves below the old root may live; 0: no root is on its way out. */
  readonly oldLeavesEndMs: number;
  /** When the new root began to sign; absent: none is on its way in. */
  readonly switchedMs?: number;
  /** Every certificate below the old root is to be renewed at once, not at half of its life. */
  readonly renewNow?: boolean;
  /** The longest life that a leaf was given. */
  readonly leafMsMax: number;
}

export interface Issued {
  /** The leaf, then the intermediate. */
  readonly chainPem: string;
  readonly serial: string;
  readonly notAfterMs: number;
}

/** Where a change of the trusted root stands. `added`: the new one is trusted; `switched`: it signs. */
export type RotationPhase = "none" | "added" | "switched";

/** A step of a rotation that would leave somebody without trust, or has no sense now. */
export class RotationRefused extends Error {
  override readonly name = "RotationRefused";
}

export async function createAuthority(trustDomain: string, nowMs: number): Promise<AuthorityState> {
  const issuer = await loadIssuer();
  const root = await issuer.root(trustDomain, nowMs, limits.rootMs);
  const intermediate = await issuer.intermediate(root, trustDomain, nowMs, limits.intermediateMs);
  return {
    format: 1,
    trustDomain,
    sequence: 1,
    roots: [root],
    signingRoot: 0,
    intermediate,
    oldLeavesEndMs: 0,
    leafMsMax: 0,
  };
}

export class Authority {
  #state: AuthorityState;
  #signer: LeafSigner | null = null;
  /** Changes happen one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(
    state: AuthorityState,
    /** Called with every change before it takes effect. */
    readonly save: (state: AuthorityState) => Promise<void>,
    readonly nowMs: () => number,
  ) {
    this.#state = state;
  }

  get trustDomain(): string {
    return this.#state.trustDomain;
  }

  get bundle(): TrustBundle {
    const { trustDomain, sequence, roots, renewNow } = this.#state;
    const rootsPem = roots.map((root) => root.certificatePem);
    return { trustDomain, sequence, rootsPem, ...(renewNow === true ? { renewNow } : {}) };
  }

  /** The root that new machines pin: the one that signs. */
  get rootPem(): string {
    return this.#signingRoot.certificatePem;
  }

  get pin(): string {
    return pinOf(this.rootPem);
  }

  get phase(): RotationPhase {
    const { roots, signingRoot } = this.#state;
    if (roots.length === 1) return "none";
    return signingRoot === 0 ? "added" : "switched";
  }

  /** Since when the new root signs, while the old one is trusted; 0: no root is on its way out. */
  get switchedMs(): number {
    return this.#state.switchedMs ?? 0;
  }

  /** Whether everybody is to renew at once what was issued below the old root. */
  get renewsNow(): boolean {
    return this.#state.renewNow === true;
  }

  /** While a root is on its way out: when the last leaf below it ends. */
  get oldLeavesEndMs(): number {
    return this.#state.oldLeavesEndMs;
  }

  /** A leaf and its intermediate. Ends with its issuer at the latest. */
  async issue(request: LeafRequest): Promise<Issued> {
    if (!(request.ttlMs > 0 && request.ttlMs <= limits.leafMsMax))
      throw new RangeError(
        `Cannot issue for ${request.ttlMs} ms: expected more than 0 and at most ${limits.leafMsMax}`,
      );
    const signer = await this.#readySigner(request.ttlMs);
    const { pem, serial, notAfterMs } = await signer.leaf(request, this.nowMs());
    return { chainPem: `${pem}\n${signer.certificatePem}\n`, serial, notAfterMs };
  }

  /** First step of a rotation: a new root is trusted beside the old one, and signs nothing yet. */
  addRoot(): Promise<void> {
    return this.#exclusive(async () => {
      if (this.phase !== "none") throw new RotationRefused("Cannot add a root: a rotation is under way");
      const { roots, sequence, trustDomain } = this.#state;
      const root = await (await loadIssuer()).root(trustDomain, this.nowMs(), limits.rootMs);
      await this.#change({ roots: [...roots, root], sequence: sequence + 1 });
    });
  }

  /** Second step, once every proxy trusts the new root (the caller knows): it signs from now on. */
  switchRoot(): Promise<void> {
    return this.#exclusive(async () => {
      if (this.phase !== "added")
        throw new RotationRefused("Cannot switch the signing root: there is no new root that waits");
      const { roots, leafMsMax } = this.#state;
      await this.#change({
        signingRoot: roots.length - 1,
        intermediate: await this.#makeIntermediate(roots.at(-1) as Signer),
        oldLeavesEndMs: this.nowMs() + leafMsMax,
        switchedMs: this.nowMs(),
      });
    });
  }

  /** In between, where the old root must go soon: who holds something below it is told to renew at once. */
  hurry(): Promise<void> {
    return this.#exclusive(async () => {
      if (this.phase !== "switched") throw new RotationRefused("Cannot hurry: no new root signs yet");
      if (this.#state.renewNow !== true)
        await this.#change({ renewNow: true, sequence: this.#state.sequence + 1 });
    });
  }

  /**
   * Last step: the old root is trusted no more. Refused while a leaf below it may be alive, unless the caller knows better
   * (`cut`): such a leaf is worth nothing from then on.
   */
  removeOldRoot(cut = false): Promise<void> {
    return this.#exclusive(async () => {
      if (this.phase !== "switched") throw new RotationRefused("Cannot remove the old root: it still signs");
      const { sequence, oldLeavesEndMs } = this.#state;
      if (!cut && this.nowMs() < oldLeavesEndMs)
        throw new RotationRefused(
          `Cannot remove the old root: certificates below it are valid until ${new Date(oldLeavesEndMs).toISOString()}`,
        );
      await this.#change({
        roots: [this.#signingRoot],
        signingRoot: 0,
        sequence: sequence + 1,
        oldLeavesEndMs: 0,
        switchedMs: 0,
        renewNow: false,
      });
    });
  }

  get #signingRoot(): Signer {
    return this.#state.roots[this.#state.signingRoot] as Signer;
  }

  /** Notes a life longer than any before, for `switchRoot`, and replaces an intermediate that has lived half of its life. */
  async #readySigner(ttlMs: number): Promise<LeafSigner> {
    const ready = (): LeafSigner | null =>
      ttlMs <= this.#state.leafMsMax && this.#signer !== null && !this.#isAging(this.#signer.notAfterMs)
        ? this.#signer
        : null;
    return (
      ready() ??
      this.#exclusive(async () => {
        const made = ready();
        if (made !== null) return made;
        if (ttlMs > this.#state.leafMsMax) await this.#change({ leafMsMax: ttlMs });
        if (this.#isAging(notAfterOf(this.#state.intermediate.certificatePem)))
          await this.#change({ intermediate: await this.#makeIntermediate(this.#signingRoot) });
        this.#signer = await (await loadIssuer()).signer(this.#state.intermediate);
        return this.#signer;
      })
    );
  }

  /** Whether a new intermediate should take over from one that ends then. None outlives its root. */
  #isAging(notAfterMs: number): boolean {
    return (
      notAfterMs - this.nowMs() < limits.intermediateMs / 2 &&
      notAfterMs < notAfterOf(this.#signingRoot.certificatePem)
    );
  }

  async #makeIntermediate(root: Signer): Promise<Signer> {
    const issuer = await loadIssuer();
    return issuer.intermediate(root, this.trustDomain, this.nowMs(), limits.intermediateMs);
  }

  async #change(change: Partial<AuthorityState>): Promise<void> {
    const next = { ...this.#state, ...change };
    await this.save(next);
    this.#state = next;
    if (change.intermediate !== undefined) this.#signer = null;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }
}
