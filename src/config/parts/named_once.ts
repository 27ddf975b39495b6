/** Routes of connections of which each parent uses one for each name: the first of them, by the names of the routes. */
import { perParent, type Parented } from "../../model/route_parents.ts";
import { serviceKey } from "../../model/service.ts";
import type { Placed } from "../kind.ts";
import type { TcpRouteDocument, TlsRouteDocument } from "../../model/document.ts";
import type { YamlDocument } from "../yaml_file.ts";

type Route = (TcpRouteDocument | TlsRouteDocument) & Parented;

/** `tell`: the name at that place of `namesOf` is used by the route `before`; false once nobody would read more. */
export function namedOnce<Document extends Route>(
  all: readonly Placed<Document>[],
  namesOf: (document: Document) => readonly string[],
  tell: (source: YamlDocument, at: number, before: string, name: string) => boolean,
): void {
  const first = new Map<string, string>();
  const told = new Set<string>();
  const routes = all.toSorted((a, b) => (nameOf(a.document) < nameOf(b.document) ? -1 : 1));
  for (const { document, source } of routes)
    for (const [at, name] of namesOf(document).entries())
      for (const { service, gateway, port } of perParent(document)) {
        const key = JSON.stringify([serviceKey(service), gateway, port, name]);
        const own = nameOf(document);
        const before = first.get(key);
        first.set(key, before ?? own);
        if (before === undefined || before === own || told.has(`${own} ${name}`)) continue;
        told.add(`${own} ${name}`);
        if (!tell(source, at, before.slice(before.indexOf("/") + 1), name)) return;
      }
}

function nameOf({ namespace, name }: Route): string {
  return `${namespace}/${name}`;
}
