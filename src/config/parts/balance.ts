/** `balance` of a service or of the mesh. */
import * as v from "valibot";
import { limits } from "../../model/limits.ts";
import { duration, object, said } from "../fields.ts";
import { inMs, percent, wholeNumber, type TrafficPart } from "./traffic_part.ts";

const headerForm = "a header name such as x-user";
const header = v.pipe(
  v.string(headerForm),
  v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, headerForm),
  v.toLowerCase(),
);
const cookieForm = "a cookie name such as session";
const cookieName = v.pipe(v.string(cookieForm), v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, cookieForm));
const queryForm = "a query parameter such as user";
const query = v.pipe(
  v.string(queryForm),
  v.regex(/^[!-~]{1,64}$/, queryForm),
  v.regex(/^[^&=#?]+$/, queryForm),
);

const keyForm = "one of header, cookie, query and caller";
const key = v.pipe(
  object({
    header: v.optional(said(header, "Value of this header")),
    cookie: v.optional(said(cookieName, "Value of this cookie")),
    query: v.optional(said(query, "Value of this query parameter, as it is written")),
    caller: v.optional(said(v.literal(true, "true"), "The service that calls")),
  }),
  v.check((written) => Object.values(written).filter((each) => each !== undefined).length === 1, keyForm),
  v.transform((written) => inMs(written, [])),
);

const boundForm = `0, or a whole number from 101 to ${limits.boundedLoadPercentMax}`;

const schema = object({
  strategy: v.optional(
    said(
      v.picklist(
        ["peak-ewma", "least-request", "round-robin", "random", "maglev", "ring-hash"],
        "peak-ewma, least-request, round-robin, random, maglev or ring-hash",
      ),
      "peak-ewma: the less loaded and faster of two; least-request: the one of two with fewer requests; round-robin; random; maglev, ring-hash: by key (default: peak-ewma)",
    ),
  ),
  key: v.optional(
    said(
      key,
      "What makes requests go to the same instance, for maglev and ring-hash; those without it go as by peak-ewma",
    ),
  ),
  boundedLoadPercent: v.optional(
    said(
      v.pipe(
        wholeNumber(0, limits.boundedLoadPercentMax),
        v.check((value) => value === 0 || value > 100, boundForm),
      ),
      "By key: an instance has at most so much of the average of what is under way, then its keys go elsewhere; 0: as much as comes (default: 125)",
    ),
  ),
  slowStart: v.optional(
    said(
      duration,
      "An instance that is new or came back grows into its share in such a time, where there are three and more; 0s: at once (default: 30s)",
    ),
  ),
  slowStartPercent: v.optional(said(percent, "What it begins with, of its share (default: 10)")),
});

export const balance: TrafficPart<"balance", typeof schema> = {
  schema,
  words: "How an instance is chosen for each call",
  expand: (written) => inMs(written, ["slowStart"]),
  check({ strategy, key: inForce }, written, report) {
    const byKey = strategy === "maglev" || strategy === "ring-hash";
    if (byKey && inForce === null)
      report("strategy", `${strategy} goes by a key: say which, key: {header: x-user}`);
    if (!byKey && written.key !== undefined && written.key !== null)
      report("key", `${strategy} goes by no key: choose maglev or ring-hash`);
  },
};
