/** Filters of the Gateway API as the fields of a rule, or of a backend, that say the same. */
import type { Path } from "../yaml_file.ts";
import type { FlatDocument } from "./flat_document.ts";
import { fieldsOf, listOf, refuseOthers, type Fields } from "./gateway_fields.ts";

/** The name of the service that a reference leads to, in the form of heddle; null: it leads to none. */
export type Refer = (reference: Fields) => string | null;

/** `ofBackend`: of its share alone, which takes changes of headers. */
export function putFilters(
  flat: FlatDocument,
  filters: unknown,
  from: Path,
  to: Path,
  ofBackend: boolean,
  refer: Refer,
): void {
  const seen = new Map<unknown, number>();
  listOf(flat, filters, from).forEach((each, at) => {
    const path = [...from, at];
    const filter = fieldsOf(flat, each, path);
    const { type } = filter;
    const put = typeof type === "string" && Object.hasOwn(putters, type) ? putters[type] : undefined;
    const fits = put !== undefined && (!ofBackend || put.field.endsWith("HeaderModifier"));
    if (put === undefined || !fits)
      return flat.wrong(path, `this version does not have the filter ${String(type)} here`);
    if (seen.has(type) && put.repeats !== true)
      return flat.wrong(path, `the filter ${String(type)} stands here twice`);
    const before = seen.get(type) ?? 0;
    seen.set(type, before + 1);
    refuseOthers(flat, filter, path, ["type", put.field]);
    if (filter[put.field] === undefined) return flat.wrong(path, `${put.field} is missing`);
    const own = [...path, put.field];
    put.put(flat, fieldsOf(flat, filter[put.field], own), own, to, { nth: before, refer });
  });
}

interface Around {
  /** How many filters of its type stand before it. */
  readonly nth: number;
  readonly refer: Refer;
}

interface Putter {
  readonly field: string;
  /** It may stand there several times. */
  readonly repeats?: true;
  readonly put: (flat: FlatDocument, filter: Fields, from: Path, to: Path, around: Around) => void;
}

const putters: Readonly<Record<string, Putter>> = {
  RequestHeaderModifier: {
    field: "requestHeaderModifier",
    put: (flat, filter, from, to) => putHeaders(flat, filter, from, [...to, "requestHeaders"]),
  },
  ResponseHeaderModifier: {
    field: "responseHeaderModifier",
    put: (flat, filter, from, to) => putHeaders(flat, filter, from, [...to, "responseHeaders"]),
  },
  URLRewrite: {
    field: "urlRewrite",
    put: (flat, filter, from, to) => {
      const here = [...to, "rewrite"];
      refuseOthers(flat, filter, from, ["hostname", "path"]);
      flat.put(here, from, {});
      flat.put([...here, "host"], [...from, "hostname"], filter["hostname"]);
      putPath(flat, filter["path"], [...from, "path"], here);
    },
  },
  RequestRedirect: {
    field: "requestRedirect",
    put: (flat, filter, from, to) => {
      const here = [...to, "redirect"];
      refuseOthers(flat, filter, from, ["scheme", "hostname", "path", "port", "statusCode"]);
      flat.put(here, from, {});
      for (const [name, own] of [
        ["scheme", "scheme"],
        ["host", "hostname"],
        ["port", "port"],
        ["status", "statusCode"],
      ] as const)
        flat.put([...here, name], [...from, own], filter[own]);
      putPath(flat, filter["path"], [...from, "path"], here);
    },
  },
  RequestMirror: {
    field: "requestMirror",
    repeats: true,
    put: (flat, filter, from, to, { nth, refer }) => {
      const here = [...to, "mirror", nth];
      refuseOthers(flat, filter, from, ["backendRef", "percent", "fraction"]);
      const own = [...from, "backendRef"];
      const service = refer(fieldsOf(flat, filter["backendRef"], own));
      if (service === null) return flat.wrong(own, "expected a backend of kind Service with a name");
      flat.put([...here, "service"], [...own, "name"], service);
      for (const name of ["percent", "fraction"]) flat.put([...here, name], [...from, name], filter[name]);
    },
  },
  CORS: {
    field: "cors",
    put: (flat, filter, from, to) => {
      refuseOthers(flat, filter, from, corsFields);
      flat.put([...to, "cors"], from, {});
      for (const name of corsFields) flat.put([...to, "cors", name], [...from, name], filter[name]);
    },
  },
};

const corsFields = [
  ...["allowOrigins", "allowCredentials", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge"],
];

function putHeaders(flat: FlatDocument, filter: Fields, from: Path, to: Path): void {
  refuseOthers(flat, filter, from, ["set", "add", "remove"]);
  flat.put(to, from, {});
  flat.put([...to, "remove"], [...from, "remove"], filter["remove"]);
  for (const way of ["set", "add"]) {
    const seen = new Set<string>();
    listOf(flat, filter[way], [...from, way]).forEach((each, at) => {
      const path = [...from, way, at];
      const written = fieldsOf(flat, each, path);
      refuseOthers(flat, written, path, ["name", "value"]);
      const { name, value } = written;
      if (typeof name !== "string" || value === undefined)
        return flat.wrong(path, "expected a name and a value");
      if (seen.has(name.toLowerCase())) return flat.wrong(path, `${name} stands here twice`);
      seen.add(name.toLowerCase());
      flat.put([...to, way, name], path, value);
    });
  }
}

/** Nothing in place of a prefix is the root. */
function putPath(flat: FlatDocument, written: unknown, from: Path, to: Path): void {
  if (written === undefined) return;
  const path = fieldsOf(flat, written, from);
  refuseOthers(flat, path, from, ["type", "replaceFullPath", "replacePrefixMatch"]);
  const { replaceFullPath, replacePrefixMatch } = path;
  flat.put([...to, "path"], [...from, "replaceFullPath"], replaceFullPath);
  flat.put(
    [...to, "prefix"],
    [...from, "replacePrefixMatch"],
    replacePrefixMatch === "" ? "/" : replacePrefixMatch,
  );
}
