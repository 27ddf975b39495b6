/**
 * The authority of one trust domain: roots that are trusted, an intermediate that signs, leaves for public keys whose
 * possession the caller has checked. The only file that touches signing keys; reachable from the controller alone.
 *
 * Of several controllers each has an intermediate of its own, and one has the root's key: it decides which roots are trusted
 * (`shared`), which the others take over (`follow`), and signs their intermediates.
 */
import { X509Certificate } from "node:crypto";
import { joinedAuthority, type AuthorityState } from "./authority_state.ts";
import { limits } from "../model/limits.ts";
import type { SharedAuthority, SignedAuthority } from "../model/shared_authority.ts";
import type { TrustBundle } from "../model/snapshot.ts";
import { loadIssuer, type LeafRequest, type LeafSigner, type Signer } from "./certificates.ts";
import {
  generateKey,
  isProof,
  isSignedBy,
  notAfterOf,
  pinOf,
  prove,
  publicKeyOf,
  type KeyPair,
} from "./keys.ts";

const sharedPurpose = "heddle-authority:";

/** Has the certificate of an intermediate made for a key, by the controller that has the root's. */
export type AskIntermediate = (key: KeyPair) => Promise<string>;

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
  /** How this one comes to an intermediate where it has no root's key. */
  askIntermediate: AskIntermediate | null = null;
  #signer: LeafSigner | null = null;
  /** When the controller with the root's key may be asked for an intermediate again. */
  #askAgainMs = 0;
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

  /** Whether the key of the root that signs is here. */
  get hasRoot(): boolean {
    return this.#signingRoot.keyPem !== "";
  }

  /** `shared` as text, and the signature of the root that signs: a registry's store is no place to learn whom to trust from. */
  signedShared(): SignedAuthority {
    const text = JSON.stringify(this.shared);
    return { text, signature: prove(this.#signingRoot.keyPem, sharedPurpose + text) };
  }

  get shared(): SharedAuthority {
    const {
      trustDomain,
      sequence,
      roots,
      signingRoot,
      oldLeavesEndMs,
      switchedMs = 0,
      renewNow,
    } = this.#state;
    const rootsPem = roots.map(({ certificatePem }) => certificatePem);
    return {
      ...{ trustDomain, sequence, rootsPem, signingRoot, oldLeavesEndMs, switchedMs },
      renewNow: renewNow === true,
    };
  }

  /** Machines whose controllers were given an intermediate. */
  get controllersGiven(): readonly string[] {
    return Object.keys(this.#state.others ?? {});
  }

  /** Machines whose controller still signs below another root than the one that signs here. */
  get lateControllers(): readonly string[] {
    const { pin } = this;
    return Object.entries(this.#state.others ?? {})
      .filter(([, each]) => each.rootPin !== pin && each.notAfterMs > this.nowMs())
      .map(([name]) => name);
  }

  /** Since when the new root alone signs, wherever, while the old one is trusted; 0: no root is on its way out. */
  get switchedMs(): number {
    const { switchedMs = 0, others = {} } = this.#state;
    return switchedMs === 0 ? 0 : Math.max(switchedMs, ...Object.values(others).map((each) => each.issuedMs));
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

  /** Signs the intermediate of another machine's controller, whose key its holder has proved. */
  giveIntermediate(machine: string, publicKey: string): Promise<string> {
    return this.#exclusive(async () => {
      this.#requireRoot();
      const issuer = await loadIssuer();
      const nowMs = this.nowMs();
      const root = this.#signingRoot;
      const pem = await issuer.intermediateFor(
        publicKey,
        root,
        this.trustDomain,
        nowMs,
        limits.intermediateMs,
      );
      const given = { rootPin: this.pin, issuedMs: nowMs, notAfterMs: notAfterOf(pem) };
      const { others = {}, oldLeavesEndMs, switchedMs = 0 } = this.#state;
      // Until now its leaves may have been below the old root, and each of them lives on.
      const lastMs = nowMs + Math.max(this.#state.leafMsMax, limits.leafMs);
      await this.#change({
        others: { ...others, [machine]: given },
        oldLeavesEndMs: switchedMs > 0 ? Math.max(oldLeavesEndMs, lastMs) : oldLeavesEndMs,
      });
      return pem;
    });
  }

  /** The controller of a machine that is a member no more. */
  forgetController(machine: string): Promise<void> {
    return this.#exclusive(async () => {
      const { [machine]: gone, ...others } = this.#state.others ?? {};
      if (gone !== undefined) await this.#change({ others });
    });
  }

  /**
   * Takes over what the controller with the root's key says, signed by a root that is trusted here, and nothing older than what is known.
   * Returns whether anything changed.
   */
  follow({ text, signature }: SignedAuthority): Promise<boolean> {
    return this.#exclusive(async () => {
      const isSigned = this.#state.roots.some(({ certificatePem }) =>
        isProof(publicKeyOf(new X509Certificate(certificatePem)), sharedPurpose + text, signature),
      );
      if (this.hasRoot || !isSigned) return false;
      const shared = JSON.parse(text) as SharedAuthority;
      if (shared.trustDomain !== this.trustDomain || isOlder(shared, this.shared)) return false;
      const before = JSON.stringify(this.shared);
      if (before !== JSON.stringify(shared)) {
        const { leafMsMax } = this.#state;
        await this.#change({ ...joinedAuthority(shared, this.#state.intermediate), leafMsMax });
      }
      const signed = isSignedBy(this.#state.intermediate.certificatePem, this.rootPem);
      if (!signed) await this.#change({ intermediate: await this.#makeIntermediate() });
      return before !== JSON.stringify(this.shared) || !signed;
    });
  }

  /** First step of a rotation: a new root is trusted beside the old one, and signs nothing yet. */
  addRoot(): Promise<void> {
    return this.#exclusive(async () => {
      this.#requireRoot();
      if (this.phase !== "none") throw new RotationRefused("Cannot add a root: a rotation is under way");
      const { roots, sequence, trustDomain } = this.#state;
      const root = await (await loadIssuer()).root(trustDomain, this.nowMs(), limits.rootMs);
      await this.#change({ roots: [...roots, root], sequence: sequence + 1 });
    });
  }

  /** Second step, once every proxy trusts the new root (the caller knows): it signs from now on. */
  switchRoot(): Promise<void> {
    return this.#exclusive(async () => {
      this.#requireRoot();
      if (this.phase !== "added")
        throw new RotationRefused("Cannot switch the signing root: there is no new root that waits");
      const { roots, leafMsMax } = this.#state;
      await this.#change({
        signingRoot: roots.length - 1,
        intermediate: await this.#makeIntermediate(roots.at(-1)),
        oldLeavesEndMs: this.nowMs() + leafMsMax,
        switchedMs: this.nowMs(),
      });
    });
  }

  /** In between, where the old root must go soon: who holds something below it is told to renew at once. */
  hurry(): Promise<void> {
    return this.#exclusive(async () => {
      this.#requireRoot();
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
      this.#requireRoot();
      if (this.phase !== "switched") throw new RotationRefused("Cannot remove the old root: it still signs");
      const { lateControllers } = this;
      if (lateControllers.length > 0)
        throw new RotationRefused(
          `Cannot remove the old root: the controllers of ${lateControllers.join(", ")} still sign below it`,
        );
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
          await this.#renewIntermediate();
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

  /** One that still signs goes on where the root's key cannot be asked. */
  async #renewIntermediate(): Promise<void> {
    if (this.nowMs() < this.#askAgainMs) return;
    try {
      await this.#change({ intermediate: await this.#makeIntermediate() });
    } catch (error) {
      this.#askAgainMs = this.nowMs() + limits.intermediateRetryMs;
      const leftMs = notAfterOf(this.#state.intermediate.certificatePem) - this.nowMs();
      if (this.hasRoot || leftMs <= 0) throw error;
    }
  }

  async #makeIntermediate(root: Signer = this.#signingRoot): Promise<Signer> {
    if (root.keyPem !== "")
      return (await loadIssuer()).intermediate(root, this.trustDomain, this.nowMs(), limits.intermediateMs);
    if (this.askIntermediate === null) throw new Error("the root's key is on another machine");
    const key = generateKey();
    return { certificatePem: await this.askIntermediate(key), keyPem: key.privatePem };
  }

  #requireRoot(): void {
    if (this.hasRoot) return;
    throw new RotationRefused("Cannot do this here: the root's key is on the machine of another controller");
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

/** The signer may change, and the end of what is below the old root, while the trusted roots and with them the sequence stay. */
function isOlder(one: SharedAuthority, other: SharedAuthority): boolean {
  if (one.sequence !== other.sequence) return one.sequence < other.sequence;
  if (one.signingRoot !== other.signingRoot) return one.signingRoot < other.signingRoot;
  return one.oldLeavesEndMs < other.oldLeavesEndMs;
}
