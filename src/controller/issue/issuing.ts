/**
 * Who gets which certificate: joining with a token, renewing with a certificate, coming back with the node's key after a
 * long absence. A public key is signed only after its holder proved to have the private one, and a certificate is handed out
 * only after the registry keeps that it was issued.
 */
import type { PlaceKeeper } from "../control_place.ts";
import type { Clock } from "../../../runtime/contract.ts";
import {
  registryKeys,
  type CommitRequest,
  type IssuedCertificate,
  type JoinAnswer,
  type JoinRequest,
  type ReachAnswer,
  type RenewAnswer,
  type RenewRequest,
  type ServiceKeyProof,
} from "../../api/messages.ts";
import type { OperatorRequest } from "../../api/operator_messages.ts";
import { Refusal } from "../../api/problem.ts";
import type { Authority, Issued } from "../../identity/authority.ts";
import { isProof } from "../../identity/keys.ts";
import { nodeId, serviceId } from "../../model/identity.ts";
import { serviceKey, type Node, type ServiceName } from "../../model/service.ts";
import type { StateStore } from "../state_store.ts";
import { keepRecord, noCertificates, withIssued, type CertificateRecord } from "./certificate_record.ts";
import { FailureGuard } from "./failure_guard.ts";
import { grantedBy, joined, requireInTime, requireMember } from "./membership.ts";
import { Nodes, putNode, type FoundNode } from "./nodes.ts";
import { Nonces } from "./nonces.ts";
import { tokenRefused, Tokens, type GoodToken } from "./tokens.ts";

export interface IssuingOptions {
  readonly authority: Authority;
  readonly store: StateStore;
  readonly clock: Clock;
  readonly leafMs: number;
  /** Where machines find the control plane, as preferred. */
  readonly place: Pick<PlaceKeeper, "now">;
  /** Connects back to a machine's inbound port. */
  readonly reach: (address: string, port: number) => Promise<ReachAnswer>;
  /** Who came, who was refused, who was changed by whom. */
  readonly log: (text: string) => void;
}

/** Keys whose holder wants certificates, with the proofs. */
type KeyRequest = Pick<RenewRequest, "nonce" | "node" | "publicKey" | "signature" | "services">;

interface IssuedToNode {
  readonly node: Issued;
  readonly services: readonly (Issued & { readonly service: ServiceName })[];
}

export class Issuing {
  readonly tokens: Tokens;
  readonly nodes: Nodes;
  readonly #nonces: Nonces;
  readonly #guard: FailureGuard;
  /** Tokens that a join under way is about to spend. */
  readonly #spending = new Set<string>();

  constructor(readonly options: IssuingOptions) {
    const wallMs = (): number => options.clock.wallMs();
    this.tokens = new Tokens(options.store, wallMs);
    this.nodes = new Nodes(options.store, wallMs);
    this.#nonces = new Nonces(wallMs);
    this.#guard = new FailureGuard(wallMs);
  }

  nonce(): string {
    return this.#nonces.make();
  }

  /** A machine becomes a member, by a token that is spent with it. */
  join(request: JoinRequest, seenAddress: string): Promise<JoinAnswer> {
    return this.watch("join", seenAddress, async () => {
      this.#nonces.check(request.nonce);
      const token = await this.tokens.read(request.token);
      if (this.#spending.has(request.token)) throw tokenRefused();
      this.#spending.add(request.token);
      try {
        return await this.#join(request, token, seenAddress);
      } finally {
        this.#spending.delete(request.token);
      }
    });
  }

  /** By a machine that showed its certificate on this connection. */
  async renew(request: RenewRequest, caller: string): Promise<RenewAnswer> {
    if (caller !== request.node)
      throw new Refusal(403, `${caller} cannot renew the certificates of ${request.node}`);
    this.#takeProofs(request, "heddle-renew");
    const found = await this.nodes.read(request.node);
    return this.#renew(request, found, requireMember(found, request));
  }

  /**
   * By a machine whose certificate ended: its key speaks for it, for a while. What others of its address fail at is not held against it,
   * nor against them what it is refused.
   */
  async reattest(request: RenewRequest, seenAddress: string): Promise<RenewAnswer> {
    const what = "come back";
    const known = () => this.#guard.count(seenAddress, () => this.#knownByKey(request));
    const found = await this.#tell(what, seenAddress, known);
    return this.#tell(what, seenAddress, async () => {
      this.#takeProofs(request, "heddle-reattest");
      const node = requireMember(found, request);
      requireInTime(node, found, this.options.clock.wallMs());
      const answer = await this.#renew(request, found, node);
      this.options.log(`${node.name} came back by its key, from ${seenAddress}`);
      return answer;
    });
  }

  /** Without the key that joined nobody is told who is a member, was one or never was. */
  async #knownByKey(request: RenewRequest): Promise<FoundNode> {
    this.#requireNodeProof(request, "heddle-reattest");
    const found = await this.nodes.read(request.node);
    if (found.node?.publicKey === request.publicKey) return found;
    throw new Refusal(
      403,
      "No machine of this mesh has this name and this key",
      "Join it again with a new token",
    );
  }

  /** Connects to the machine that asks, and to nobody else: an address of its own choice would make this a scanner. */
  async reach(
    name: string,
    seenAddress: string,
    { address, port }: { readonly address: string; readonly port: number },
  ): Promise<ReachAnswer> {
    const joinedWith = (await this.nodes.read(name)).node?.address ?? seenAddress;
    if (address === seenAddress || address === joinedWith) return this.options.reach(address, port);
    const known = [...new Set([seenAddress, joinedWith])].join(" and ");
    return {
      ok: false,
      cause: "denied",
      detail: `the controller tries ${known} alone, where ${name} is known to be, not ${address}: join again with --address ${address}`,
    };
  }

  /** By machine: when its certificates were issued last. */
  async lastRenewals(): Promise<ReadonlyMap<string, number>> {
    const { entries } = await this.options.store.range(registryKeys.certificates);
    return new Map(
      entries.map(({ key, value }) => {
        const { issuedMs = 0 } = JSON.parse(value) as CertificateRecord;
        return [key.slice(registryKeys.certificates.length), issuedMs];
      }),
    );
  }

  /** For what comes without a certificate. */
  watch<T>(what: string, seenAddress: string, work: () => Promise<T>): Promise<T> {
    return this.#guard.watch(seenAddress, () => this.#tell(what, seenAddress, work));
  }

  /** Says what is refused; not to one who fails too often: anybody may do so as often as he likes. */
  async #tell<T>(what: string, seenAddress: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refusal && error.status !== 429)
        this.options.log(`refused to let ${seenAddress} ${what}: ${error.message}`);
      throw error;
    }
  }

  async #join(request: JoinRequest, token: GoodToken, seenAddress: string): Promise<JoinAnswer> {
    const granted = grantedBy(token, request);
    this.#takeProofs(request, "heddle-join");
    const found = await this.nodes.read(request.node);
    const node = joined(found, request, { control: token.control, granted }, this.options.clock.wallMs());
    const issued = await this.#issue(request, request.services);
    const { conditions, operations } = token.spend(node.name, seenAddress);
    const more = { conditions, operations: [...operations, putNode(node)] };
    if (!(await this.#commit(node.name, found, issued, more))) throw tokenRefused();
    const { authority, place, reach, log } = this.options;
    const { controllers, registries } = place.now();
    log(`${node.name} joined from ${seenAddress}; it may be ${node.services.map(serviceKey).join(", ")}`);
    const address = request.address ?? seenAddress;
    return {
      ...this.#answer(issued),
      trustDomain: authority.trustDomain,
      address,
      controllers,
      registries,
      registry: registries[0],
      reachable: await reach(address, request.port),
    };
  }

  /** A service that the machine may not be does not keep it from renewing the others. */
  async #renew(request: RenewRequest, found: FoundNode, node: Node): Promise<RenewAnswer> {
    const allowed = new Set(node.services.map(serviceKey));
    const wanted = request.services.filter((each) => allowed.has(serviceKey(each.service)));
    const refused = request.services.flatMap((each) => (wanted.includes(each) ? [] : [each.service]));
    const issued = await this.#issue(request, wanted);
    if (await this.#commit(request.node, found, issued, { conditions: [], operations: [] }))
      return { ...this.#answer(issued), refused };
    throw new Refusal(503, `The machine ${request.node} was changed meanwhile; try again`);
  }

  /** An operator's key is proved by a signature over the nonce. */
  takeOperatorProof({ nonce, name, publicKey, signature }: OperatorRequest): void {
    const isProved = (): boolean => isProof(publicKey, `heddle-operator:${nonce}:${name}`, signature);
    this.takeProof(nonce, isProved, "operator's key");
  }

  /** A nonce of this controller is good for one proof. */
  takeProof(nonce: string, isProved: () => boolean, what = "key"): void {
    this.#nonces.check(nonce);
    if (!isProved()) throw new Refusal(403, `The signature does not prove the ${what}`);
    this.#spend(nonce);
  }

  /** Every key is proved by a signature over the nonce, which is good for this once. */
  #takeProofs(request: KeyRequest, purpose: string): void {
    const { nonce, services } = request;
    this.#requireNodeProof(request, purpose);
    for (const each of services) {
      const key = serviceKey(each.service);
      if (!isProof(each.publicKey, `heddle-svid:${nonce}:${key}`, each.signature))
        throw new Refusal(403, `The signature does not prove the key of ${key}`);
    }
    this.#spend(nonce);
  }

  #requireNodeProof({ nonce, node, publicKey, signature }: KeyRequest, purpose: string): void {
    this.#nonces.check(nonce);
    if (!isProof(publicKey, `${purpose}:${nonce}:${node}`, signature))
      throw new Refusal(403, "The signature does not prove the machine's key");
  }

  /** Once the signatures over it were found right. */
  #spend(nonce: string): void {
    this.#nonces.use(nonce);
  }

  async #issue(request: KeyRequest, wanted: readonly ServiceKeyProof[]): Promise<IssuedToNode> {
    const { authority, leafMs: ttlMs } = this.options;
    const { trustDomain } = authority;
    const spiffeId = nodeId(trustDomain, request.node);
    const node = await authority.issue({ spiffeId, publicKey: request.publicKey, ttlMs });
    const services = wanted.map(async ({ service, publicKey }) => {
      const issued = await authority.issue({ spiffeId: serviceId(trustDomain, service), publicKey, ttlMs });
      return { ...issued, service };
    });
    return { node, services: await Promise.all(services) };
  }

  /** Keeps what was issued. False: the machine, or what else was a condition, changed meanwhile, and nothing happened. */
  async #commit(name: string, found: FoundNode, issued: IssuedToNode, more: CommitRequest): Promise<boolean> {
    // A removed machine that joins again begins anew: what it held was revoked.
    const before = found.node === null || found.node.removed ? noCertificates : found.certificates;
    const nowMs = this.options.clock.wallMs();
    const record = withIssued(before, [issued.node, ...issued.services], nowMs);
    const conditions = [...found.unchanged, ...more.conditions];
    const operations = [...more.operations, keepRecord(name, record)];
    return (await this.options.store.commit(conditions, operations)).ok;
  }

  #answer({ node, services }: IssuedToNode): Omit<RenewAnswer, "refused"> {
    const shown = ({ chainPem, notAfterMs }: Issued): IssuedCertificate => ({ chainPem, notAfterMs });
    return {
      bundle: this.options.authority.bundle,
      node: shown(node),
      services: services.map((each) => ({ ...shown(each), service: each.service })),
      controllerMs: this.options.clock.wallMs(),
    };
  }
}
