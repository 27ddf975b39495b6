/** The gateways of this machine as operators see them: what lies where their certificates should, and when those end. */
import type { Clock, Files } from "../../runtime/contract.ts";
import type { MachineDocument } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { serviceKey } from "../model/service.ts";
import type { Snapshot, SnapshotGateway } from "../model/snapshot.ts";
import { GatewayCertificates, type CertificateState } from "../proxy/listen/gateway_certificates.ts";

export interface GatewayStatus {
  readonly gateway: string;
  readonly ports: readonly { readonly address: string; readonly port: number }[];
  readonly certificates: readonly CertificateState[];
}

/** Traffic has its own copy, in each process that carries some: this one reads the same files, as the same user. */
export class GatewayWatch {
  readonly #certificates: GatewayCertificates;
  #own: readonly SnapshotGateway[] = [];
  #told = "";

  /** `changed`: there is something else to mend now. */
  constructor(
    readonly host: { readonly files: Pick<Files, "readSync">; readonly clock: Clock },
    readonly changed: () => void,
  ) {
    const { files, clock } = host;
    this.#certificates = new GatewayCertificates({
      ...{ files, clock, log: () => {} },
      looked: () => this.#tell(),
    });
  }

  apply({ gateways = [] }: Pick<Snapshot, "gateways">, machine: Pick<MachineDocument, "gateways">): void {
    const keys = new Set((machine.gateways ?? []).map(serviceKey));
    this.#own = gateways.filter(({ service }) => keys.has(serviceKey(service)));
    this.#certificates.keep(
      this.#own.flatMap(({ listeners }) => listeners.flatMap(({ certificates }) => certificates)),
    );
    this.#tell();
  }

  close(): void {
    this.#certificates.close();
  }

  status(): GatewayStatus[] {
    const states = this.#certificates.states();
    return this.#own.map(({ service, listeners }) => {
      const files = new Set(
        listeners.flatMap(({ certificates }) => certificates.map((each) => each.certificate)),
      );
      return {
        gateway: serviceKey(service),
        ports: listeners.map(({ address, port }) => ({ address, port })),
        certificates: states.filter(({ certificate }) => files.has(certificate)),
      };
    });
  }

  /** The first of them, in words. */
  problems(): string[] {
    const nowMs = this.host.clock.wallMs();
    return this.status()
      .flatMap(({ gateway, certificates }) =>
        certificates.flatMap((each) => {
          const problem = problemOf(each, nowMs);
          return problem === null ? [] : [`gateway ${gateway}: ${each.certificate} ${problem}`];
        }),
      )
      .slice(0, limits.machineProblemsMax)
      .map((each) => each.slice(0, limits.instanceProblemLengthMax).toWellFormed());
  }

  #tell(): void {
    const told = JSON.stringify(this.problems());
    if (told === this.#told) return;
    const isFirst = this.#told === "";
    this.#told = told;
    // What is well from the beginning is no news.
    if (!isFirst || told !== "[]") this.changed();
  }
}

/** What is wrong with it, after its name; null: nothing. */
export function problemOf({ problem, notAfterMs }: CertificateState, nowMs: number): string | null {
  if (problem !== null)
    return `cannot be used: ${problem}${notAfterMs === null ? "" : "; the one from before is shown still"}`;
  return notAfterMs !== null && notAfterMs <= nowMs
    ? `ended at ${new Date(notAfterMs).toISOString()}, and is shown still`
    : null;
}
