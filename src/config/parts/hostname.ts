/** Hosts that a route is for, as the Gateway API writes them. */
import * as v from "valibot";

/** A name that clients ask for. */
export const hostname = v.pipe(
  v.string("a hostname such as db.example or *.example"),
  v.regex(
    /^(?:\*\.)?(?=.{1,253}$)(?!\d+(?:\.\d+){3}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
    "a hostname such as db.example or *.example, in lower case",
  ),
);
