/**
 * HTTP/1.x request heads: bytes in, one head or one problem out. The whole head is looked at when it is complete; nothing
 * of it is believed before. The parser owns its bytes, so a head stays valid until the next one is parsed.
 */
import { limits } from "../../model/limits.ts";
import { Interner } from "../../base/bytes.ts";
import { fieldStride } from "../fields.ts";
import { normalAuthority, normalTarget } from "../target.ts";
import { FieldSection } from "./field_section.ts";
import { equalsLower } from "./framing.ts";
import { classes, problems, targetBit, tokenBit, type Problem } from "./grammar.ts";

const CR = 13;
const LF = 10;
const SP = 32;

/**
 * Among the protocols of an Upgrade field, those that are left out of it, as what is unknown is (RFC 9110 section 7.8): `connect`
 * means the method, and `h2c` is no upgrade any more (RFC 9113 section 3.1).
 */
const namesIgnored = /(?:^|[\s,])(?:connect|h2c)(?:[\s,]|$)/;
const ignored: ReadonlySet<string> = new Set(["", "connect", "h2c"]);

/** Protocols that carry datagrams and packets (RFC 9298, RFC 9484): an app that knows nothing of them would answer the bare request. */
const namesDatagrams = /(?:^|[\s,])connect-(?:udp|ip)(?:[\s,]|$)/;

/** Strings that requests have in common, whatever connection they come on. */
const interner = new Interner();

export interface RequestParserOptions {
  /** HTTP/1.0 requests without Host are fine (a listener that serves one service). */
  readonly hostOptional: boolean;
}

export class RequestParser {
  readonly #section = new FieldSection();
  readonly fields = this.#section.fields;
  readonly framing = this.#section.framing;
  method = "";
  target = "";
  path = "";
  authority = "";
  /** 0 or 1 of HTTP/1.x. */
  minor = 1;
  upgrade: string | null = null;
  expectContinue = false;
  problem: Problem | null = null;
  #targetStart = 0;
  #targetEnd = 0;
  /** The last Host and target as they came: the next request of a connection mostly has the same. */
  #rawHost = "";
  #rawTarget = "";
  #hostAuthority = "";
  #fieldUpgrade: string | null = null;
  #normalTarget = "";
  #normalPath = "";

  constructor(readonly options: RequestParserOptions) {}

  /**
   * Parses the head at `start`. Returns the offset behind it; 0 when it is not complete; -1 when it is refused, with
   * `problem` set.
   */
  parse(source: Uint8Array, start: number, end: number): number {
    this.problem = null;
    const begin = skipEmptyLines(source, start, end);
    if (begin >= end) return 0;
    // What lies beyond the limit is not looked at: it would be refused in one way or another by the split it came in.
    const until = Math.min(end, begin + limits.requestHeadBytesMax + 1);
    const fieldsAt = this.#parseLine(source, begin, until);
    if (fieldsAt <= 0) return fieldsAt === 0 ? this.#incomplete(begin, until) : -1;
    const next = this.#section.read(source, fieldsAt, until, this.minor);
    if (next === 0) return this.#incomplete(begin, until);
    if (next < 0) return this.#refuse(this.#section.problem as Problem);
    if (next - begin > limits.requestHeadBytesMax) return this.#refuse(problems.headLong);
    const problem = (this.#section.repeated ? this.#repeat() : this.#finish()) ?? this.#readTarget(source);
    if (problem === null) return next;
    this.#section.forget();
    return this.#refuse(problem);
  }

  /** Body bytes that follow; -1 when chunked. */
  get contentLength(): number {
    return this.framing.chunked ? -1 : Math.max(0, this.framing.contentLength);
  }

  /** Whether the connection can take another request after this one. */
  get persistent(): boolean {
    if (this.framing.close) return false;
    return this.minor === 1 || this.framing.keepAlive;
  }

  #refuse(problem: Problem): -1 {
    this.problem = problem;
    return -1;
  }

  #incomplete(begin: number, end: number): 0 | -1 {
    return end - begin > limits.requestHeadBytesMax ? this.#refuse(problems.headLong) : 0;
  }

  /** Method SP target SP version CRLF. Returns where the fields begin, 0 when incomplete, -1 when refused. */
  #parseLine(source: Uint8Array, begin: number, end: number): number {
    let at = begin;
    while (at < end && ((classes[source[at] as number] as number) & tokenBit) !== 0) at++;
    if (at - begin > limits.methodBytesMax) return this.#refuse(problems.method);
    if (at >= end) return 0;
    if (source[at] !== SP || at === begin) return this.#refuse(problems.requestLine);
    this.method = methodAt(source, begin, at);
    const targetStart = ++at;
    while (at < end && ((classes[source[at] as number] as number) & targetBit) !== 0) at++;
    if (at - targetStart > limits.targetBytesMax) return this.#refuse(problems.targetLong);
    if (at >= end) return 0;
    if (source[at] !== SP || at === targetStart) return this.#refuse(problems.requestLine);
    this.#targetStart = targetStart;
    this.#targetEnd = at++;
    return this.#parseVersion(source, at, end);
  }

  #parseVersion(source: Uint8Array, at: number, end: number): number {
    const name = "HTTP/";
    const have = Math.min(end - at, 10);
    for (let index = 0; index < have; index++) {
      const byte = source[at + index] as number;
      const digit = byte >= 48 && byte <= 57;
      const fits =
        index < 5
          ? byte === name.charCodeAt(index)
          : index === 6
            ? byte === 46
            : index === 8
              ? byte === CR
              : index === 9
                ? byte === LF
                : digit;
      if (!fits) return this.#refuse(problems.requestLine);
    }
    if (have < 10) return 0;
    const minor = (source[at + 7] as number) - 48;
    if (source[at + 5] !== 49 || minor > 1) return this.#refuse(problems.version);
    this.minor = minor;
    return at + 10;
  }

  /** The same fields as before: what they mean is known. A target in absolute form may have put another authority first. */
  #repeat(): Problem | null {
    this.authority = this.#hostAuthority;
    this.upgrade = this.#fieldUpgrade;
    return this.#handshakeProblem();
  }

  /** What the fields of the whole head mean: host, upgrade, expectation. */
  #finish(): Problem | null {
    const { framing } = this;
    const host = framing.hostAt < 0 ? null : this.#valueOf(framing.hostAt);
    if (host === null) {
      if (this.minor !== 0 || !this.options.hostOptional) return problems.host;
      this.#rawHost = this.#hostAuthority = "";
    } else if (host !== this.#rawHost || this.#rawHost === "") {
      const authority = normalAuthority(host);
      if (authority === null) return problems.host;
      this.#rawHost = host;
      this.#hostAuthority = authority;
    }
    this.authority = this.#hostAuthority;
    this.#fieldUpgrade = null;
    if (framing.upgradeAt >= 0 && framing.upgrading && this.minor === 1) {
      const asked = this.#valueOf(framing.upgradeAt).toLowerCase();
      if (namesDatagrams.test(asked)) return problems.datagrams;
      this.#fieldUpgrade = namesIgnored.test(asked) ? withoutIgnored(asked) : asked;
    }
    this.upgrade = this.#fieldUpgrade;
    this.expectContinue = false;
    if (framing.expectAt >= 0 && this.minor === 1) {
      const [start, end] = this.#spanOf(framing.expectAt);
      if (!equalsLower(this.fields.bytes, start, end, "100-continue")) return problems.expectation;
      this.expectContinue = true;
    }
    return this.#handshakeProblem();
  }

  /** RFC 6455 section 4.1. The key is between the client and the server. */
  #handshakeProblem(): Problem | null {
    if (this.upgrade !== "websocket") return null;
    const fits = this.method === "GET" && this.fields.get("sec-websocket-version") === "13";
    return fits ? null : problems.handshake;
  }

  #readTarget(source: Uint8Array): Problem | null {
    const raw = interner.latin1(source, this.#targetStart, this.#targetEnd);
    if (this.method === "CONNECT") return this.#readConnect(raw);
    if (raw.charCodeAt(0) === 0x2f) return this.#setTarget(raw);
    if (raw === "*") {
      if (this.method !== "OPTIONS") return problems.target;
      this.target = this.path = "*";
      return null;
    }
    const absolute = /^https?:\/\/([^/?]+)(.*)$/i.exec(raw);
    const authority = absolute === null ? null : normalAuthority(absolute[1] as string);
    if (absolute === null || authority === null) return problems.target;
    this.authority = authority;
    const rest = absolute[2] as string;
    if (rest === "" && this.method === "OPTIONS") {
      this.target = this.path = "*";
      return null;
    }
    return this.#setTarget(rest.startsWith("/") ? rest : `/${rest}`);
  }

  #readConnect(raw: string): Problem | null {
    const authority = normalAuthority(raw);
    if (authority === null || !/:\d+$/.test(authority)) return problems.target;
    this.authority = authority;
    this.target = this.path = "";
    this.upgrade = "connect";
    return null;
  }

  #setTarget(raw: string): Problem | null {
    if (raw !== this.#rawTarget) {
      const normal = normalTarget(raw);
      if (normal === null) return problems.target;
      this.#rawTarget = raw;
      this.#normalTarget = normal.target;
      this.#normalPath = normal.path;
    }
    this.target = this.#normalTarget;
    this.path = this.#normalPath;
    return null;
  }

  #spanOf(index: number): readonly [number, number] {
    const { table } = this.fields;
    const at = index * fieldStride;
    return [table[at + 2] as number, table[at + 3] as number];
  }

  #valueOf(index: number): string {
    const [start, end] = this.#spanOf(index);
    return interner.latin1(this.fields.bytes, start, end);
  }
}

function withoutIgnored(asked: string): string | null {
  const left = asked.split(/[\s,]+/).filter((protocol) => !ignored.has(protocol));
  return left.length === 0 ? null : left.join(", ");
}

const emptyLinesMax = 4;

/** Empty lines before a request are skipped (RFC 9112 section 2.2), a few at most. `end`: the request has not begun yet. */
function skipEmptyLines(source: Uint8Array, start: number, end: number): number {
  let at = start;
  for (let lines = 0; lines < emptyLinesMax && at < end && source[at] === CR; lines++) {
    if (at + 1 === end) return end;
    if (source[at + 1] !== LF) break;
    at += 2;
  }
  return at;
}

/** Interned for the methods everybody uses. */
function methodAt(source: Uint8Array, start: number, end: number): string {
  if (end - start === 3 && source[start] === 71 && source[start + 1] === 69 && source[start + 2] === 84)
    return "GET";
  return interner.latin1(source, start, end);
}
