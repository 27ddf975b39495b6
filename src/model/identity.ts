/** SPIFFE IDs as heddle writes them (SPIFFE ID specification, sections 2.1 to 2.3). Parsing and its rules: `src/identity/spiffe_id.ts`. */
import type { ServiceName } from "./service.ts";

/** Whom a SPIFFE ID of this mesh names. */
export type Principal =
  | { readonly kind: "service"; readonly service: ServiceName }
  | { readonly kind: "node"; readonly name: string }
  | { readonly kind: "controller"; readonly name: string }
  | { readonly kind: "registry"; readonly name: string }
  | { readonly kind: "operator"; readonly name: string };

export function serviceId(trustDomain: string, service: ServiceName): string {
  return `spiffe://${trustDomain}/ns/${service.namespace}/sa/${service.name}`;
}

export function nodeId(trustDomain: string, name: string): string {
  return `spiffe://${trustDomain}/node/${name}`;
}

export function controllerId(trustDomain: string, name: string): string {
  return `spiffe://${trustDomain}/heddle/controller/${name}`;
}

export function registryId(trustDomain: string, name: string): string {
  return `spiffe://${trustDomain}/heddle/registry/${name}`;
}

export function operatorId(trustDomain: string, name: string): string {
  return `spiffe://${trustDomain}/operator/${name}`;
}
