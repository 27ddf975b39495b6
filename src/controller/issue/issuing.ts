/**
 * Who gets which certificate: joining with a token, renewing with a certificate, coming back with the node's key after a
 * long absence. Every public key is signed only after its holder proved to have the private one.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../../runtime/contract.ts";
import {
  registryKeys,
  type IssuedCertificate,
  type JoinAnswer,
  type JoinRequest,
  type RenewAnswer,
  type RenewRequest,
  type ServiceKeyProof,
} from "../../api/messages.ts";
import { Refusal } from "../../api/problem.ts";
import type { Authority } from "../../identity/authority.ts";
import { isProof } from "../../identity/keys.ts";
import { isName } from "../../identity/spiffe_id.ts";
import { nodeId, serviceId } from "../../model/identity.ts";
import { limits } from "../../model/limits.ts";
import { serviceKey, type Node, type ServiceName } from "../../model/service.ts";
import type { StateStore } from "../state_store.ts";
import { Nodes } from "./nodes.ts";
import { FailureGuard, Tokens } from "./tokens.ts";

export interface IssuingOptions {
  readonly authority: Authority;
  readonly store: StateStore;
  readonly clock: Clock;
  readonly leafMs: number;
  readonly registry: { readonly host: string; readonly port: number };
  /** Connects back to a machine's inbound port. */
  readonly reach: (
    address: string,
    port: number,
  ) => Promise<{ readonly ok: boolean; readonly detail: string }>;
}

export class Issuing {
  readonly tokens: Tokens;
  readonly nodes: Nodes;
  readonly guard: FailureGuard;
  /** Nonces given out and not used, with the time they end. */
  readonly #nonces = new Map<string, number>();

  constructor(readonly options: IssuingOptions) {
    const wallMs = (): number => options.clock.wallMs();
    this.tokens = new Tokens(options.store, wallMs);
    this.nodes = new Nodes(options.store);
    this.guard = new FailureGuard(limits.joinFailuresPerMinuteMax, wallMs);
  }

  nonce(): string {
    const nowMs = this.options.clock.wallMs();
    for (const [nonce, endsMs] of this.#nonces)
      if (endsMs < nowMs || this.#nonces.size > 10_000) this.#nonces.delete(nonce);
    const nonce = randomBytes(16).toString("hex");
    this.#nonces.set(nonce, nowMs + 60_000);
    return nonce;
  }

  async join(request: JoinRequest, seenAddress: string): Promise<JoinAnswer> {
    this.guard.check(seenAddress);
    try {
      return await this.#join(request, seenAddress);
    } catch (error) {
      if (error instanceof Refusal && error.status === 403) this.guard.failed(seenAddress);
      throw error;
    }
  }

  async #join(request: JoinRequest, seenAddress: string): Promise<JoinAnswer> {
    this.#takeNonce(request.nonce);
    if (!isName(request.node))
      throw new Refusal(
        400,
        `A machine cannot be named "${request.node}": expected lower-case letters, digits and -`,
      );
    const token = await this.tokens.redeem(request.token);
    const asked = request.services.map((each) => each.service);
    const granted = token.services ?? asked;
    const allowed = new Set(granted.map(serviceKey));
    const foreign = asked.find((each) => !allowed.has(serviceKey(each)));
    if (foreign !== undefined) {
      throw new Refusal(
        403,
        `This token does not allow the service ${serviceKey(foreign)}, only ${[...allowed].join(", ")}`,
      );
    }
    this.#checkProofs(request, `heddle-join:${request.nonce}:${request.node}`);
    const existing = await this.nodes.find(request.node);
    if (existing !== null && existing.node.publicKey !== request.publicKey) {
      throw new Refusal(
        409,
        `There is already a machine named ${request.node}, with another key`,
        "Choose another name with --node",
      );
    }
    const services = [...(existing?.node.services ?? []), ...granted];
    const node: Node = {
      name: request.node,
      services: [...new Map(services.map((each) => [serviceKey(each), each])).values()],
      publicKey: request.publicKey,
      joinedMs: this.options.clock.wallMs(),
      removed: false,
    };
    await token.spend(request.node, seenAddress, [
      { do: "put", key: registryKeys.nodes + node.name, value: JSON.stringify(node) },
    ]);
    const address = request.address ?? seenAddress;
    return {
      ...(await this.#issueAll(node, request)),
      trustDomain: this.options.authority.trustDomain,
      address,
      registry: this.options.registry,
      reachable: await this.options.reach(address, request.port),
    };
  }

  /** By a node that showed its certificate on this connection. */
  async renew(request: RenewRequest, caller: string): Promise<RenewAnswer> {
    if (caller !== request.node)
      throw new Refusal(403, `${caller} cannot renew the certificates of ${request.node}`);
    return this.#renew(request, "heddle-renew");
  }

  /** By a node whose certificate ended: its key speaks for it, for a while. */
  async reattest(request: RenewRequest, seenAddress: string): Promise<RenewAnswer> {
    this.guard.check(seenAddress);
    try {
      return await this.#renew(request, "heddle-reattest");
    } catch (error) {
      if (error instanceof Refusal && error.status === 403) this.guard.failed(seenAddress);
      throw error;
    }
  }

  async #renew(request: RenewRequest, purpose: string): Promise<RenewAnswer> {
    this.#takeNonce(request.nonce);
    const found = await this.nodes.find(request.node);
    if (found === null || found.node.removed)
      throw new Refusal(
        403,
        `The machine ${request.node} is not part of this mesh`,
        "Join it again with a new token",
      );
    if (found.node.publicKey !== request.publicKey)
      throw new Refusal(403, `This is not the key that ${request.node} joined with`);
    const allowed = new Set(found.node.services.map(serviceKey));
    const foreign = request.services.find((each) => !allowed.has(serviceKey(each.service)));
    if (foreign !== undefined) {
      const key = serviceKey(foreign.service);
      throw new Refusal(
        403,
        `The machine ${request.node} may not be the service ${key}`,
        `On the controller's machine: heddle node allow ${request.node} --service ${key}`,
      );
    }
    this.#checkProofs(request, `${purpose}:${request.nonce}:${request.node}`);
    return this.#issueAll(found.node, request);
  }

  #takeNonce(nonce: string): void {
    const endsMs = this.#nonces.get(nonce);
    this.#nonces.delete(nonce);
    if (endsMs === undefined || endsMs < this.options.clock.wallMs())
      throw new Refusal(403, "The nonce is not one of the last minute, or it was used");
  }

  #checkProofs(
    request: {
      readonly nonce: string;
      readonly publicKey: string;
      readonly signature: string;
      readonly services: readonly ServiceKeyProof[];
    },
    text: string,
  ): void {
    if (!isProof(request.publicKey, text, request.signature))
      throw new Refusal(403, "The signature does not prove the machine's key");
    for (const each of request.services) {
      if (
        !isProof(each.publicKey, `heddle-svid:${request.nonce}:${serviceKey(each.service)}`, each.signature)
      ) {
        throw new Refusal(403, `The signature does not prove the key of ${serviceKey(each.service)}`);
      }
    }
  }

  async #issueAll(
    node: Node,
    request: { readonly publicKey: string; readonly services: readonly ServiceKeyProof[] },
  ): Promise<RenewAnswer> {
    const { trustDomain } = this.options.authority;
    const own = await this.#issue(nodeId(trustDomain, node.name), request.publicKey);
    const services: (IssuedCertificate & { service: ServiceName })[] = [];
    for (const each of request.services) {
      services.push({
        ...(await this.#issue(serviceId(trustDomain, each.service), each.publicKey)),
        service: each.service,
      });
    }
    return {
      bundle: this.options.authority.bundle,
      node: own,
      services,
      controllerMs: this.options.clock.wallMs(),
    };
  }

  async #issue(spiffeId: string, publicKey: string): Promise<IssuedCertificate> {
    return this.options.authority.issue({ spiffeId, publicKey, ttlMs: this.options.leafMs });
  }
}
