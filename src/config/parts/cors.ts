/** `cors` of a rule: the fields of HTTPCORSFilter of the Gateway API, checked as its schema checks them. */
import * as v from "valibot";
import type { Cors } from "../../model/route_filters.ts";
import { flag, list, object, said } from "../fields.ts";
import { headerName } from "./route_match.ts";

const originForm = "an origin such as https://shop.example, https://*.shop.example:8443, or *";
const origin = v.pipe(
  v.string(originForm),
  v.maxLength(253, originForm),
  v.regex(
    /^(?:\*|[a-z][a-z0-9+.-]*:\/\/(?:\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?:[0-9]{1,5}|\*))?)$/i,
    originForm,
  ),
);
const methodForm = "a method such as GET, or *";
const corsMethod = v.pipe(v.string(methodForm), v.regex(/^(?:\*|[A-Z][A-Z-]{0,31})$/, methodForm));
/** `*` is a character of names of headers anyway. */
const corsHeader = headerName;
const ageForm = "whole seconds from 1 to 2147483647";

/** The wildcard says all that the others could. */
function alone<const Item extends v.GenericSchema<string>>(item: Item, most: number) {
  return v.pipe(
    list(item, most, 1),
    v.check((all) => all.length === 1 || !all.includes("*"), "either * or a list without it"),
  );
}

export const corsFilter = v.pipe(
  object({
    allowOrigins: v.optional(said(alone(origin, 64), "Origins that may read answers (default: none)")),
    allowCredentials: v.optional(
      said(flag, "Whether their requests may carry cookies and the like (default: false)"),
    ),
    allowMethods: v.optional(
      said(alone(corsMethod, 9), "Methods beside GET, HEAD and POST that they may use (default: none)"),
    ),
    allowHeaders: v.optional(
      said(alone(corsHeader, 64), "Fields that their requests may carry beside the usual (default: none)"),
    ),
    exposeHeaders: v.optional(
      said(alone(corsHeader, 64), "Fields of answers that they may read beside the usual (default: none)"),
    ),
    maxAge: v.optional(
      said(
        v.pipe(
          v.number(ageForm),
          v.integer(ageForm),
          v.minValue(1, ageForm),
          v.maxValue(2_147_483_647, ageForm),
        ),
        "Seconds for which a browser may go by the answer to a preflight request (default: 5)",
      ),
    ),
  }),
  v.check(
    ({ allowCredentials, exposeHeaders = [] }) => allowCredentials !== true || !exposeHeaders.includes("*"),
    "the names of exposeHeaders rather than *, which means nothing to browsers where there are credentials",
  ),
);

export function expandCors({
  allowOrigins = [],
  allowCredentials = false,
  allowMethods = [],
  allowHeaders = [],
  exposeHeaders = [],
  maxAge = 5,
}: v.InferOutput<typeof corsFilter>): Cors {
  return {
    origins: allowOrigins.map((each) => each.toLowerCase()),
    credentials: allowCredentials,
    methods: allowMethods,
    headers: allowHeaders,
    expose: exposeHeaders,
    maxAgeS: maxAge,
  };
}
