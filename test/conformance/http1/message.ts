/**
 * HTTP/1 messages as the tests read them: a second, plain reading of RFC 9112 that shares nothing with what it judges.
 * Text in and out, one character per octet.
 */

export interface Message {
  /** The start line. */
  readonly line: string;
  /** `name: value`, names in lower case, values as they came. */
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** Status of an answer; NaN of a request. */
  readonly status: number;
  /** Where it ends. */
  readonly end: number;
}

/** `more`: not all of it is there. `odd`: no message. */
export type Reading = Message | "more" | "odd";

export interface ReadingOptions {
  /** The method that an answer answers; null when requests are read. */
  readonly method: string | null;
  /** No more will come: what has no length ends here. */
  readonly ended: boolean;
  /** Extensions of chunks are passed over. Default: there may be none. */
  readonly extensions?: boolean;
}

export function readMessage(text: string, from: number, options: ReadingOptions): Reading {
  const headEnd = text.indexOf("\r\n\r\n", from);
  if (headEnd < 0) return "more";
  const [line = "", ...lines] = text.slice(from, headEnd).split("\r\n");
  const fields = lines.map(fieldOf);
  const status = /^HTTP\/1\.[01] (\d{3}) /.exec(`${line} `)?.[1] ?? "";
  const bodyAt = headEnd + 4;
  const made = (body: string, trailers: readonly string[], end: number): Message => ({
    line,
    fields,
    body,
    trailers,
    status: Number(status === "" ? Number.NaN : status),
    end,
  });
  if (options.method !== null && status === "") return "odd";
  if (options.method !== null && isBodyless(Number(status), options.method)) return made("", [], bodyAt);
  if (valueOf(fields, "transfer-encoding") !== null)
    return readChunks(text, bodyAt, options.extensions === true, made);
  const length = valueOf(fields, "content-length");
  if (length !== null) {
    const end = bodyAt + Number(length);
    return text.length < end ? "more" : made(text.slice(bodyAt, end), [], end);
  }
  if (options.method === null) return made("", [], bodyAt);
  return options.ended ? made(text.slice(bodyAt), [], text.length) : "more";
}

function isBodyless(status: number, method: string): boolean {
  return status < 200 || status === 204 || status === 304 || method === "HEAD";
}

function fieldOf(line: string): string {
  const colon = line.indexOf(":");
  return colon < 0
    ? line
    : `${line.slice(0, colon).toLowerCase()}: ${line.slice(colon + 1).replace(/^ /, "")}`;
}

/** The first value of a name; null when there is none. */
export function valueOf(fields: readonly string[], name: string): string | null {
  const found = fields.find((field) => field.startsWith(`${name}: `));
  return found === undefined ? null : found.slice(name.length + 2);
}

function readChunks(
  text: string,
  from: number,
  extensions: boolean,
  made: (body: string, trailers: readonly string[], end: number) => Message,
): Reading {
  let body = "";
  for (let at = from; ;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return "more";
    const size = extensions ? text.slice(at, lineEnd).replace(/;.*$/s, "") : text.slice(at, lineEnd);
    if (!/^[0-9a-f]{1,15}$/i.test(size)) return "odd";
    const length = Number.parseInt(size, 16);
    at = lineEnd + 2;
    if (length === 0) {
      if (text.startsWith("\r\n", at)) return made(body, [], at + 2);
      const end = text.indexOf("\r\n\r\n", at);
      return end < 0 ? "more" : made(body, text.slice(at, end).split("\r\n").map(fieldOf), end + 4);
    }
    if (text.length < at + length + 2) return "more";
    if (!text.startsWith("\r\n", at + length)) return "odd";
    body += text.slice(at, at + length);
    at += length + 2;
  }
}
