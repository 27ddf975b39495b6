/** Documents and instances by what they are about. */
import type { Document } from "../../model/document.ts";
import { serviceKey, type ServiceName } from "../../model/service.ts";

/** By the key of the service that each is about. */
export type Grouped<Value> = ReadonlyMap<string, readonly Value[]>;

export function byService<Value extends { readonly service: ServiceName }>(
  all: readonly Value[],
): Grouped<Value> {
  return Map.groupBy(all, (each) => serviceKey(each.service));
}

export function ofKind<K extends Document["kind"]>(
  documents: readonly Document[],
  kind: K,
): Extract<Document, { kind: K }>[] {
  return documents.filter((each): each is Extract<Document, { kind: K }> => each.kind === kind);
}
