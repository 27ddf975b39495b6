/** All documents together, as each of them sees the others while it is checked. */
import type { GatewayDocument, ServiceDocument } from "../model/document.ts";
import type { TrafficTraits } from "../model/traffic.ts";
import type { ReferenceGrant } from "../model/reference_grant.ts";
import { serviceKey, takesRequests, type ServiceName } from "../model/service.ts";
import { suggestion } from "./issue.ts";
import type { Report } from "./issue_at.ts";
import type { Path } from "./yaml_file.ts";

export interface LoadContext {
  /** Names of the policies that exist; null: not known here, anything goes. */
  readonly policies: readonly string[] | null;
}

export interface DocumentSetOptions extends LoadContext {
  /** By key; of two with the same one the first. */
  readonly services: ReadonlyMap<string, ServiceDocument>;
  /** By key; of two with the same one the first. */
  readonly gateways: ReadonlyMap<string, GatewayDocument>;
  /** Keys of services whose document has problems of its own; null: any service may be meant, some text is no YAML. */
  readonly unreadable: ReadonlySet<string> | null;
  /** What the `Mesh` says of all services; `{}` without one. */
  readonly meshTraffic: TrafficTraits;
  readonly grants: readonly ReferenceGrant[];
  /** The `Mesh` lets routes make faults. */
  readonly faultsAllowed: boolean;
}

/** Where a name of a service was written. */
export interface NamedAt {
  readonly path: Path;
  /** It stands in the key. */
  readonly key?: boolean;
  /** What else could be done when there is no such service. */
  readonly advice?: string;
}

/** What a service must speak to stand where it stands. */
export interface Fit {
  readonly what: string;
  readonly needs: string;
  readonly fits: (service: ServiceDocument) => boolean;
}

export class DocumentSet {
  constructor(readonly options: DocumentSetOptions) {}

  get policies(): readonly string[] | null {
    return this.options.policies;
  }

  /** null, and told unless its own problems were, when no document declares this service. */
  find(
    service: ServiceName,
    { path, key = false, advice = "" }: NamedAt,
    report: Report,
  ): ServiceDocument | null {
    const { services, unreadable } = this.options;
    const wanted = serviceKey(service);
    const found = services.get(wanted);
    if (found !== undefined) return found;
    if (unreadable === null || unreadable.has(wanted)) return null;
    const near = suggestion(wanted, [...services.keys()]);
    report(path, `there is no Service ${wanted}${near}${advice}`, { key, code: "HED0102" });
    return null;
  }

  /** The same of gateways, and of a listener that is named. */
  findGateway(gateway: ServiceName, listener: string | null, report: Report): GatewayDocument | null {
    const { gateways, unreadable } = this.options;
    const wanted = serviceKey(gateway);
    const found = gateways.get(wanted);
    if (found === undefined) {
      if (unreadable === null || unreadable.has(wanted)) return null;
      report(["gateway"], `there is no Gateway ${wanted}${suggestion(wanted, [...gateways.keys()])}`);
      return null;
    }
    const names = found.listeners.map(({ name }) => name);
    if (listener !== null && !names.includes(listener))
      report(["listener"], `the Gateway ${wanted} has no listener ${listener}; it has ${names.join(", ")}`);
    return found;
  }

  /** The same; tells too when it does not speak what it must there. */
  findFit(service: ServiceName, fit: Fit, at: NamedAt, report: Report): ServiceDocument | null {
    const found = this.find(service, at, report);
    if (found === null || fit.fits(found)) return found;
    const has = `${serviceKey(found)} has ${protocolText(found)}`;
    report(at.path, `${fit.what} needs ${fit.needs}, but ${has}`, { key: at.key === true });
    return found;
  }
}

/** Requests, and not only when a connection happens to show them. */
export function declaresRequests({ protocol }: ServiceDocument): boolean {
  return protocol !== "detect" && takesRequests(protocol);
}

export function protocolText({ protocol }: ServiceDocument): string {
  return protocol === "detect" ? "none declared" : protocol;
}
