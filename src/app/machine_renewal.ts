/**
 * Renews what this machine is: node and services together, by mTLS with the node's certificate while that lives, by the
 * node's key once it has ended. Service keys are new each time.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { ControlRefusal } from "../api/control.ts";
import { controllerPaths, type JoinNonce, type RenewAnswer, type RenewRequest } from "../api/messages.ts";
import { readJson, type CredentialStore } from "../identity/credential_store.ts";
import { generateKey, isBelow, prove, type KeyPair } from "../identity/keys.ts";
import { Renewal } from "../identity/renewal.ts";
import { ownServices, type MachineDocument } from "../model/document.ts";
import { nodeId, serviceId } from "../model/identity.ts";
import { limits } from "../model/limits.ts";
import { serviceKey } from "../model/service.ts";
import type { TrustBundle } from "../model/snapshot.ts";
import type { Counter } from "../telemetry/metrics.ts";
import type { ControlPlaces } from "./control_places.ts";
import { controllerAsNode, controllerAsStranger } from "./controller_link.ts";
import type { StateFolder } from "./state_folder.ts";

export interface MachineRenewalOptions {
  readonly runtime: Runtime;
  readonly places: Pick<ControlPlaces, "settings" | "trustDomain" | "controllers">;
  readonly store: CredentialStore;
  /** What runs here now. */
  readonly machine: () => MachineDocument;
  readonly folder: StateFolder;
  readonly log: (text: string) => void;
  /** Renewals, by how they ended. */
  readonly renewals: { readonly ok: Counter; readonly failed: Counter };
  readonly renewed: () => void;
}

export class MachineRenewal {
  readonly #renewal: Renewal;
  #problem: string | null = null;
  /** Services that the controller gave no certificate for. */
  #refused = new Set<string>();

  constructor(readonly options: MachineRenewalOptions) {
    const { runtime, log } = options;
    this.#renewal = new Renewal({
      clock: runtime.clock,
      random: runtime.random,
      life: () => this.#shortest(),
      renew: () => this.#renew(),
      refused: (error) => error instanceof ControlRefusal && error.status === 403,
      attempted: (problem) => {
        (problem === null ? options.renewals.ok : options.renewals.failed).add(1);
        if (problem !== null && this.#problem === null)
          log(`cannot renew the certificates now, trying on: ${problem}`);
        if (problem === null && this.#problem !== null) log("the certificates are renewed");
        this.#problem = problem;
      },
    });
  }

  close(): void {
    this.#renewal.close();
  }

  /** The machine may be this service: renews now if it was refused before. */
  want(key: string): void {
    if (this.#refused.delete(key)) this.#renewal.soon();
  }

  /** Other services run here from now on: a certificate that is missing is asked for. */
  changed(): void {
    if (this.#shortest() === null) this.#renewal.soon();
  }

  /** The roots as they are now: where everybody is to renew at once, and this machine has not, it does. */
  follow(bundle: TrustBundle): void {
    if (bundle.renewNow !== true) return;
    const newest = bundle.rootsPem.at(-1) ?? "";
    const { node, services } = this.options.store;
    const held = [...(node === null ? [] : [node]), ...services.values()];
    if (held.every(({ tls }) => isBelow(tls.chainPem, newest))) return;
    this.options.log("renewing now: the old root is about to be dropped");
    this.#renewal.soon();
  }

  /** The life of what ends first; null when something is missing that the machine may be. */
  #shortest(): { readonly issuedMs: number; readonly notAfterMs: number } | null {
    const { store, machine } = this.options;
    const keys = ownServices(machine()).map(serviceKey);
    const all = [
      store.node,
      ...keys.filter((key) => !this.#refused.has(key)).map((key) => store.service(key)),
    ];
    let first: { readonly issuedMs: number; readonly notAfterMs: number } | null = null;
    for (const each of all) {
      if (each === null) return null;
      if (first === null || each.notAfterMs < first.notAfterMs) first = each;
    }
    return first;
  }

  async #renew(): Promise<void> {
    const { runtime, places, store, machine, folder } = this.options;
    const { settings } = places;
    const node = await readJson<KeyPair>(runtime.files, `${folder.credentials}/node.key.json`);
    if (node === null) throw new Error(`the machine's key is missing in ${folder.credentials}`);
    const alive = store.node !== null && store.node.notAfterMs > runtime.clock.wallMs();
    const control = alive
      ? controllerAsNode(runtime, places, store)
      : controllerAsStranger(runtime, places, store);
    try {
      const { nonce } = (await control.call("POST", controllerPaths.nonce, {})).body as JoinNonce;
      const purpose = alive ? "heddle-renew" : "heddle-reattest";
      const services = ownServices(machine());
      const keys = new Map(services.map((each) => [serviceKey(each), generateKey()]));
      const request: RenewRequest = {
        nonce,
        node: settings.node,
        publicKey: node.publicKey,
        signature: prove(node.privatePem, `${purpose}:${nonce}:${settings.node}`),
        services: services.map((service) => {
          const key = keys.get(serviceKey(service)) as KeyPair;
          return {
            service,
            publicKey: key.publicKey,
            signature: prove(key.privatePem, `heddle-svid:${nonce}:${serviceKey(service)}`),
          };
        }),
      };
      const answer = (
        await control.call("POST", alive ? controllerPaths.renew : controllerPaths.reattest, request)
      ).body as RenewAnswer;
      await this.#keep(answer, node, keys);
    } finally {
      control.close();
    }
    this.options.renewed();
  }

  async #keep(answer: RenewAnswer, node: KeyPair, keys: ReadonlyMap<string, KeyPair>): Promise<void> {
    const { runtime, places, store } = this.options;
    const { settings, trustDomain } = places;
    const issuedMs = runtime.clock.wallMs();
    this.#refused = new Set(answer.refused.map(serviceKey));
    this.#warnOfSkew(answer.controllerMs - issuedMs);
    await store.setBundle(answer.bundle);
    for (const { service, chainPem, notAfterMs } of answer.services) {
      const key = keys.get(serviceKey(service));
      if (key === undefined) continue;
      await store.setService(serviceKey(service), {
        spiffeId: serviceId(trustDomain, service),
        tls: { chainPem, keyPem: key.privatePem },
        issuedMs,
        notAfterMs,
      });
    }
    const { chainPem, notAfterMs } = answer.node;
    await store.setNode({
      spiffeId: nodeId(trustDomain, settings.node),
      tls: { chainPem, keyPem: node.privatePem },
      issuedMs,
      notAfterMs,
    });
  }

  #warnOfSkew(skewMs: number): void {
    if (Math.abs(skewMs) <= limits.clockSkewWarnMs) return;
    const seconds = Math.round(Math.abs(skewMs) / 1000);
    this.options.log(
      `the clock is ${seconds} s ${skewMs > 0 ? "behind" : "ahead of"} the controller's; certificates need clocks that agree`,
    );
  }
}
