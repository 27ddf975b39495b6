/** What `heddle why` is asked: about a request by its id, or about one that has not happened. */
import type { DecideQuestion } from "../../app/decide.ts";
import type { Question } from "../../api/questions.ts";
import { UserError } from "../../base/user_error.ts";
import { serviceKey } from "../../model/service.ts";
import { parseServiceName } from "../command.ts";

const usage =
  'heddle why REQUEST-ID, or heddle why web orders GET /v1/x (or quoted: "web -> orders GET /v1/x")';

export type Asked = RequestQuestion | DecideQuestion;

type RequestQuestion = Extract<Question, { readonly what: "request" }>;

/** Throws a UserError for what it cannot read. */
export function readAsked(words: readonly string[], headers: readonly string[]): Asked {
  const parts = words
    .flatMap((word) => word.split(/\s+/))
    .flatMap((word) => word.split(/->|\u2192/))
    .filter((word) => word !== "");
  const [first = "", second, third = "GET", ...rest] = parts;
  const [method = "GET", path = "/", ...more] = third.startsWith("/")
    ? ["GET", third, ...rest]
    : [third, ...rest];
  if (parts.includes("-"))
    throw new UserError(
      'Cannot read "-": the shell took the ">" of "->" for a file to write into',
      `Quote it, or leave the arrow out: ${usage}`,
    );
  if (second === undefined) {
    if (headers.length > 0)
      throw new UserError("Cannot use --header: a request that has an id had its own", usage);
    return { what: "request", id: readRequestId(first) };
  }
  if (more.length > 0)
    throw new UserError(`Cannot read "${more.join(" ")}": expected nothing behind the path`, usage);
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/.test(method))
    throw new UserError(`Cannot use the method "${method}": expected one such as GET`, usage);
  if (!path.startsWith("/"))
    throw new UserError(`Cannot use the path "${path}": expected one that begins with /`, usage);
  return {
    what: "decide",
    from: serviceKey(parseServiceName(first, "the caller")),
    to: serviceKey(parseServiceName(second, "the service")),
    method: method.toUpperCase(),
    path,
    headers: headers.map(readHeader),
  };
}

function readRequestId(text: string): string {
  if (/^[A-Za-z0-9._-]{1,128}$/.test(text)) return text;
  throw new UserError(
    `Cannot look for "${text}": expected a request id, as x-request-id of an answer and request_id of the access log have it`,
    usage,
  );
}

function readHeader(text: string): { name: string; value: string } {
  const [, name = "", value = ""] =
    /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*[:=]\s*([\x20-\x7e\x80-\xff]*)$/.exec(text) ?? [];
  if (name === "") throw new UserError(`Cannot use --header "${text}": expected one such as "x-user: beta"`);
  return { name: name.toLowerCase(), value };
}
