/**
 * The authority of one trust domain: roots that are trusted, an intermediate that signs, leaves for public keys whose
 * possession the caller has checked. The only file that touches signing keys; reachable from the controller alone.
 */
import { limits } from "../model/limits.ts";
import type { TrustBundle } from "../model/snapshot.ts";
import { loadIssuer, type Issuer } from "./certificates.ts";
import { pinOf } from "./keys.ts";

interface Signer {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** As it lies on disk. */
export interface AuthorityState {
  readonly format: 1;
  readonly trustDomain: string;
  /** Rises with every change of the roots. */
  readonly sequence: number;
  /** All trusted roots; the last one is the newest. */
  readonly roots: readonly Signer[];
  /** Which root the intermediate was signed by. */
  readonly signingRoot: number;
  readonly intermediate: Signer;
}

export async function createAuthority(trustDomain: string, nowMs: number): Promise<AuthorityState> {
  const issuer = await loadIssuer();
  const root = await issuer.root(trustDomain, nowMs, limits.rootMs);
  const intermediate = await issuer.intermediate(root, trustDomain, nowMs, limits.intermediateMs);
  return { format: 1, trustDomain, sequence: 1, roots: [root], signingRoot: 0, intermediate };
}

export interface LeafRequest {
  readonly spiffeId: string;
  /** SubjectPublicKeyInfo, base64 of DER. */
  readonly publicKey: string;
  readonly ttlMs: number;
}

export class Authority {
  #state: AuthorityState;
  #issuer: Issuer | null = null;

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
    const { trustDomain, sequence, roots } = this.#state;
    return { trustDomain, sequence, rootsPem: roots.map((root) => root.certificatePem) };
  }

  /** The root that new machines pin: the one that signs. */
  get rootPem(): string {
    return (this.#state.roots[this.#state.signingRoot] as Signer).certificatePem;
  }

  get pin(): string {
    return pinOf(this.rootPem);
  }

  /** A leaf and its intermediate, leaf first. Ends with its issuer at the latest. */
  async issue(request: LeafRequest): Promise<{ readonly chainPem: string; readonly notAfterMs: number }> {
    const issuer = (this.#issuer ??= await loadIssuer());
    await this.#renewIntermediate(issuer);
    const { intermediate } = this.#state;
    const nowMs = this.nowMs();
    const { pem, notAfterMs } = await issuer.leaf(
      intermediate,
      request.spiffeId,
      request.publicKey,
      nowMs,
      request.ttlMs,
    );
    return { chainPem: `${pem}\n${intermediate.certificatePem}\n`, notAfterMs };
  }

  /** First step of a rotation: a new root is trusted beside the old one, and signs nothing yet. */
  async addRoot(): Promise<void> {
    if (this.#state.roots.length > 1) throw new Error("Cannot add a root: a rotation is under way");
    const issuer = await loadIssuer();
    const root = await issuer.root(this.trustDomain, this.nowMs(), limits.rootMs);
    await this.#change({ roots: [...this.#state.roots, root], sequence: this.#state.sequence + 1 });
  }

  /** Second step, once every proxy trusts the new root: it signs from now on. */
  async switchRoot(): Promise<void> {
    const { roots } = this.#state;
    if (roots.length < 2) throw new Error("Cannot switch: there is no new root");
    const issuer = await loadIssuer();
    const signingRoot = roots.length - 1;
    const root = roots[signingRoot] as Signer;
    const intermediate = await issuer.intermediate(
      root,
      this.trustDomain,
      this.nowMs(),
      limits.intermediateMs,
    );
    await this.#change({ signingRoot, intermediate });
  }

  /** Last step, once no valid leaf chains to it: the old root is trusted no more. */
  async removeOldRoot(): Promise<void> {
    const { roots, signingRoot } = this.#state;
    if (roots.length < 2 || signingRoot !== roots.length - 1)
      throw new Error("Cannot remove the old root: it still signs");
    await this.#change({
      roots: [roots[signingRoot] as Signer],
      signingRoot: 0,
      sequence: this.#state.sequence + 1,
    });
  }

  async #renewIntermediate(issuer: Issuer): Promise<void> {
    const { intermediate, roots, signingRoot } = this.#state;
    if (issuer.leftMs(intermediate.certificatePem, this.nowMs()) > limits.intermediateMs / 2) return;
    const root = roots[signingRoot] as Signer;
    await this.#change({
      intermediate: await issuer.intermediate(root, this.trustDomain, this.nowMs(), limits.intermediateMs),
    });
  }

  async #change(change: Partial<AuthorityState>): Promise<void> {
    const next = { ...this.#state, ...change };
    await this.save(next);
    this.#state = next;
  }
}
