/** `sessionPersistence` of a service, of the mesh, or of a rule of a route: GEP-1619 in both of its forms, and without its nesting. */
import * as v from "valibot";
import type { SessionPersistence, WholeGroup } from "../../model/traffic.ts";
import { object, said } from "../fields.ts";
import { atLeast, inMs, type TrafficPart } from "./traffic_part.ts";

const nameForm = "a name such as session, of letters, digits and !#$%&'*+-.^_`|~";
const sessionName = v.pipe(
  v.string(nameForm),
  v.regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,128}$/, nameForm),
  v.check((text) => !/^x-heddle-/i.test(text), "a name that heddle has no use of its own for"),
);
const pathForm = "a path such as /shop";
const path = v.pipe(v.string(pathForm), v.regex(/^\/[!-:<-~]{0,255}$/, pathForm));
const timeout = atLeast("1s", 1_000);
const lifetimeType = said(
  v.picklist(["Session", "Permanent"], "Session or Permanent"),
  "Permanent: the cookie has a Max-Age, what is left of absoluteTimeout (default: Session)",
);
const cookiePath = said(path, "Path of the cookie (default: /)");
const named = (words: string) => v.optional(said(sessionName, words));

const fields = object({
  type: v.optional(
    said(
      v.picklist(["Cookie", "Header", "None"], "Cookie, Header or None"),
      "What carries the token: a cookie, or a header that clients send back; None turns it off (default: Cookie)",
    ),
  ),
  sessionName: named(
    "Name of the cookie or header (default: heddle- with the name of the service; of a rule: and those of route and rule)",
  ),
  absoluteTimeout: v.optional(said(timeout, "A session is over after so long (default: never)")),
  idleTimeout: v.optional(
    said(timeout, "A session is over after so long without a request (default: never)"),
  ),
  lifetimeType: v.optional(lifetimeType),
  path: v.optional(cookiePath),
  cookie: v.optional(
    said(
      object({
        name: named("As sessionName"),
        path: v.optional(cookiePath),
        lifetimeType: v.optional(lifetimeType),
      }),
      "The same of a cookie, as the Gateway API nests it",
    ),
  ),
  cookieConfig: v.optional(
    said(
      object({ lifetimeType: v.optional(lifetimeType) }),
      "The same, as the Gateway API nested it up to 1.6",
    ),
  ),
  header: v.optional(
    said(object({ name: named("As sessionName") }), "Sessions by a header, as the Gateway API nests it"),
  ),
});

type Fields = v.InferOutput<typeof fields>;

const form = "a mapping, in one of its forms";

const schema = v.pipe(
  fields,
  v.check(
    (each) => problemOf(each) === null,
    (issue) => problemOf(issue.input as Fields) ?? form,
  ),
  v.transform(flat),
);

const isTwice = (...said: readonly unknown[]): boolean =>
  said.filter((each) => each !== undefined).length > 1;

/** What would fit where two of its forms meet; null: one stands alone. */
function problemOf(each: Fields): string | null {
  const { type, cookie, cookieConfig, header } = each;
  if (isTwice(cookie, header)) return "a cookie or a header, not both";
  if (isTwice(each.sessionName, cookie?.name, header?.name))
    return "one name: sessionName, or the name of cookie or header";
  if (isTwice(each.lifetimeType, cookie?.lifetimeType, cookieConfig?.lifetimeType))
    return "one lifetimeType, whichever of its places it stands in";
  if (isTwice(each.path, cookie?.path)) return "one path, whichever of its places it stands in";
  if (header !== undefined && type !== undefined && type !== "Header")
    return "type Header where a header carries it";
  const byCookie = (cookie ?? cookieConfig) !== undefined;
  return byCookie && type !== undefined && type !== "Cookie" ? "type Cookie where a cookie carries it" : null;
}

/** Without nesting. */
function flat({ type, cookie, cookieConfig, header, ...rest }: Fields) {
  return {
    type: type ?? (header === undefined ? "Cookie" : "Header"),
    ...rest,
    sessionName: rest.sessionName ?? cookie?.name ?? header?.name,
    lifetimeType: rest.lifetimeType ?? cookie?.lifetimeType ?? cookieConfig?.lifetimeType,
    path: rest.path ?? cookie?.path,
  };
}

export const sessionPersistence: TrafficPart<"sessionPersistence", typeof schema> = {
  schema,
  words: "Whether the requests of a client's session go to the same instance",
  expand: (written) => inMs(written, ["absoluteTimeout", "idleTimeout"]),
  check: checkSessions,
};

/** What does not go together. */
export function checkSessions(
  { type, lifetimeType, absoluteTimeoutMs }: WholeGroup<"sessionPersistence">,
  written: SessionPersistence,
  report: (field: string, message: string) => void,
): void {
  if (lifetimeType === "Permanent" && absoluteTimeoutMs === null)
    report("lifetimeType", "Permanent needs an end: absoluteTimeout");
  for (const field of ["lifetimeType", "path"] as const)
    if (type !== "Cookie" && written[field] !== undefined)
      report(field, `this is about a cookie, not about ${type}`);
}
