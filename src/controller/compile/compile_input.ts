/** What snapshots are made of, and lists in them that are the same for all machines. */
import type { Document, ServiceDocument } from "../../model/document.ts";
import { meshNameLine } from "../../model/mesh_name.ts";
import type { Instance } from "../../model/service.ts";
import type {
  Endpoint,
  PolicyBinding,
  PolicyCandidate,
  PolicyRef,
  TrustBundle,
} from "../../model/snapshot.ts";
import type { SessionSecret } from "../session_secret.ts";

/** Everything snapshots are made of, the same for all machines. */
export interface CompileInput {
  readonly trustDomain: string;
  readonly bundle: TrustBundle;
  readonly deniedIds: readonly string[];
  readonly deniedSerials: readonly string[];
  /** null while there is none. */
  readonly sessionSecret: SessionSecret | null;
  readonly documents: readonly Document[];
  /** By document key: keys of the services that its policies may send requests to. */
  readonly leadsTo: ReadonlyMap<string, readonly string[]>;
  readonly instances: readonly Instance[];
  /** By name. */
  readonly policies: ReadonlyMap<string, KnownPolicy>;
  /** By name: versions that are tried. */
  readonly trials: ReadonlyMap<string, Omit<PolicyCandidate, "binding"> & { readonly policy: KnownPolicy }>;
  /** Virtual addresses by service key. */
  readonly addresses: ReadonlyMap<string, string>;
  /** What operators took out, by `drainKey`. */
  readonly drains: ReadonlySet<string>;
}

export interface KnownPolicy extends PolicyRef, Pick<PolicyBinding, "hooks"> {
  /** It is left out. */
  readonly disabled?: true;
}

/** Of all services that have an address, sorted. */
export function namesOf(
  services: ReadonlyMap<string, ServiceDocument>,
  addresses: CompileInput["addresses"],
): readonly string[] {
  return [...services.keys()].sort().flatMap((key) => {
    const { name, namespace, port, protocol } = services.get(key) as ServiceDocument;
    const address = addresses.get(key);
    return address === undefined
      ? []
      : [meshNameLine({ service: { name, namespace }, address, port, protocol })];
  });
}

export function endpointOf(instance: Instance): Endpoint {
  const { id, node, address, port, labels, zone, region, weight, apart, drained } = instance;
  return {
    ...{ id, node, address, port, labels },
    ready: instance.ready && drained !== true,
    ...(zone === undefined ? {} : { zone }),
    ...(region === undefined ? {} : { region }),
    ...(weight === undefined ? {} : { weight }),
    ...(apart === true ? { apart } : {}),
    ...(drained === true ? { drained } : {}),
  };
}
