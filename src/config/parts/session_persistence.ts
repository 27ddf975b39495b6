/** `sessionPersistence` of a service or of the mesh: GEP-1619, without its nesting. */
import * as v from "valibot";
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

const schema = object({
  type: v.optional(
    said(
      v.picklist(["Cookie", "Header", "None"], "Cookie, Header or None"),
      "What carries the token: a cookie, or a header that clients send back; None turns it off (default: Cookie)",
    ),
  ),
  sessionName: v.optional(
    said(sessionName, "Name of the cookie or header (default: heddle- with the name of the service)"),
  ),
  absoluteTimeout: v.optional(said(timeout, "A session is over after so long (default: never)")),
  idleTimeout: v.optional(
    said(timeout, "A session is over after so long without a request (default: never)"),
  ),
  lifetimeType: v.optional(
    said(
      v.picklist(["Session", "Permanent"], "Session or Permanent"),
      "Permanent: the cookie has a Max-Age, what is left of absoluteTimeout (default: Session)",
    ),
  ),
  path: v.optional(said(path, "Path of the cookie (default: /)")),
});

export const sessionPersistence: TrafficPart<"sessionPersistence", typeof schema> = {
  schema,
  words: "Whether the requests of a client's session go to the same instance",
  expand: (written) => ({ type: "Cookie", ...inMs(written, ["absoluteTimeout", "idleTimeout"]) }),
  check({ type, lifetimeType, absoluteTimeoutMs }, written, report) {
    if (lifetimeType === "Permanent" && absoluteTimeoutMs === null)
      report("lifetimeType", "Permanent needs an end: absoluteTimeout");
    for (const field of ["lifetimeType", "path"] as const)
      if (type !== "Cookie" && written[field] !== undefined)
        report(field, `this is about a cookie, not about ${type}`);
  },
};
