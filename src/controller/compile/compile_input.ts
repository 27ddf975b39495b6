/** What snapshots are made of, and lists in them that are the same for all machines. */
import { expandService } from "../../config/kinds/service.ts";
import { socketAddress } from "../../base/socket_address.ts";
import type { Document, MeshDocument, ServiceDocument } from "../../model/document.ts";
import { meshNameLine } from "../../model/mesh_name.ts";
import { serviceKey, type Instance, type ServiceName } from "../../model/service.ts";
import type {
  Access,
  Destination,
  Endpoint,
  PolicyBinding,
  PolicyCandidate,
  PolicyRef,
  Snapshot,
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
  readonly trials: ReadonlyMap<
    string,
    Required<Omit<PolicyCandidate, "binding">> & { readonly policy: KnownPolicy }
  >;
  /** Virtual addresses by service key. */
  readonly addresses: ReadonlyMap<string, string>;
  /** What operators took out, by `drainKey`. */
  readonly drains: ReadonlySet<string>;
}

export interface KnownPolicy extends PolicyRef, Pick<PolicyBinding, "hooks" | "bodies"> {
  /** It is left out. */
  readonly disabled?: true;
}

export interface CompileMachine {
  readonly node: string;
  /** Services that it may be. */
  readonly services: readonly ServiceName[];
  /** Keys of services that its own services call. */
  readonly uses: readonly string[];
}

/** One service as it is in force. */
export interface CompiledService {
  /** Of its virtual address. */
  readonly port: number;
  readonly destination: Destination;
  readonly access: Access;
  /** All that are about it, itself first. */
  readonly documents: readonly Document[];
}

export const plainService = (protocol: ServiceDocument["protocol"]): ServiceDocument => ({
  ...expandService({ kind: "Service", name: "undeclared", port: 1 }),
  protocol,
});
/** What a machine may be and no document declares: nobody may call it. */
export const undeclared = plainService("tcp");

export const byKey = (a: ServiceName, b: ServiceName): number => (serviceKey(a) < serviceKey(b) ? -1 : 1);

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

/** What the Mesh document says to every machine. */
export function settingsOf(
  mesh: MeshDocument | null,
): Pick<Snapshot, "telemetry" | "egress" | "unsealedPolicies"> {
  const telemetry = mesh?.telemetry ?? {};
  return {
    ...(Object.keys(telemetry).length === 0 ? {} : { telemetry }),
    ...(mesh?.egress === "declared" ? { egress: "declared" as const } : {}),
    ...(mesh?.unsealedPolicies === "refuse" ? { unsealedPolicies: "refuse" as const } : {}),
  };
}

/** Of one outside of the mesh: what its document says, names of DNS among it. */
export function endpointsOf({ external }: ServiceDocument, instances: readonly Instance[]): Endpoint[] {
  if (external === undefined) return runningOf(instances);
  return external.endpoints.map(({ host, port }) => ({
    id: socketAddress(host, port),
    ...{ node: "", address: host, port, labels: {}, ready: true },
  }));
}

export function runningOf(instances: readonly Instance[]): Endpoint[] {
  return instances.map(endpointOf).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** What may be called outside is known to whoever may call nothing else there. */
export function externalKeys(services: ReadonlyMap<string, ServiceDocument>): string[] {
  return [...services].flatMap(([key, { external }]) => (external === undefined ? [] : [key]));
}

function endpointOf(instance: Instance): Endpoint {
  const { id, node, address, port, labels, zone, region, network, weight, apart, drained } = instance;
  return {
    ...{ id, node, address, port, labels },
    ready: instance.ready && drained !== true,
    ...(zone === undefined ? {} : { zone }),
    ...(region === undefined ? {} : { region }),
    ...(network === undefined ? {} : { network }),
    ...(weight === undefined ? {} : { weight }),
    ...(apart === true ? { apart } : {}),
    ...(drained === true ? { drained } : {}),
  };
}
