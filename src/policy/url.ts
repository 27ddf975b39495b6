/**
 * `URL` as the URL Standard has it, to read and to resolve, in pure TypeScript, for realms, which have no web platform. Its parts do not
 * change, but for `searchParams`. Other than there: hosts beyond ASCII are refused (write `xn--`), and so is `file:`. Part of `heddle/policy`.
 */
import { encodePercent, encodeSets } from "./percent.ts";
import { hostOf } from "./url_host.ts";
import { URLSearchParams } from "./url_params.ts";

/** Schemes whose hosts are machines, with the port that is not written. */
const defaultPorts: ReadonlyMap<string, string> = new Map([
  ["http:", "80"],
  ["https:", "443"],
  ["ws:", "80"],
  ["wss:", "443"],
  ["ftp:", "21"],
]);

interface Authority {
  readonly username: string;
  readonly password: string;
  /** null: there is none, as in `mailto:a@b`. */
  readonly host: string | null;
  readonly port: string;
}

interface Parts extends Authority {
  readonly scheme: string;
  /** A text: it is no list of segments, and nothing is resolved against it. */
  readonly path: readonly string[] | string;
  readonly query: string | null;
  readonly fragment: string | null;
}

const nowhere: Authority = { username: "", password: "", host: null, port: "" };

class Invalid extends Error {}

export class URL {
  #parts: Parts;
  readonly searchParams: URLSearchParams;

  /** Throws a TypeError for what is no URL, or a relative one without `base`. */
  constructor(url: string | URL, base?: string | URL) {
    try {
      this.#parts = partsOf(String(url), base === undefined ? null : partsOf(String(base), null));
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      throw new TypeError(`"${String(url).slice(0, 80)}" is no URL: ${error.message}`);
    }
    this.searchParams = new URLSearchParams(this.search, (text) => {
      this.#parts = { ...this.#parts, query: text === "" ? null : text };
    });
  }

  static canParse(url: string | URL, base?: string | URL): boolean {
    return URL.parse(url, base) !== null;
  }

  static parse(url: string | URL, base?: string | URL): URL | null {
    try {
      return new URL(url, base);
    } catch {
      return null;
    }
  }

  get href(): string {
    const { scheme, username, password, host, path } = this.#parts;
    const login =
      username === "" && password === "" ? "" : `${username}${password === "" ? "" : `:${password}`}@`;
    // A path that begins with two slashes would be taken for a host.
    const mark = typeof path !== "string" && path.length > 1 && path[0] === "" ? "/." : "";
    return `${scheme}${host === null ? mark : `//${login}${this.host}`}${this.pathname}${this.#query}${this.#fragment}`;
  }

  /** `null` as a text where nobody is at home, as the standard has it. */
  get origin(): string {
    const { scheme } = this.#parts;
    return defaultPorts.has(scheme) ? `${scheme}//${this.host}` : "null";
  }

  get protocol(): string {
    return this.#parts.scheme;
  }

  get username(): string {
    return this.#parts.username;
  }

  get password(): string {
    return this.#parts.password;
  }

  get host(): string {
    const { host, port } = this.#parts;
    return `${host ?? ""}${port === "" ? "" : `:${port}`}`;
  }

  get hostname(): string {
    return this.#parts.host ?? "";
  }

  get port(): string {
    return this.#parts.port;
  }

  get pathname(): string {
    const { path } = this.#parts;
    return typeof path === "string" ? path : path.map((segment) => `/${segment}`).join("");
  }

  get search(): string {
    return this.#query === "?" ? "" : this.#query;
  }

  get hash(): string {
    return this.#fragment === "#" ? "" : this.#fragment;
  }

  toString(): string {
    return this.href;
  }

  toJSON(): string {
    return this.href;
  }

  get #query(): string {
    return this.#parts.query === null ? "" : `?${this.#parts.query}`;
  }

  get #fragment(): string {
    return this.#parts.fragment === null ? "" : `#${this.#parts.fragment}`;
  }
}

function partsOf(written: string, base: Parts | null): Parts {
  const text = written
    .toWellFormed()
    .replace(/^[\0- ]+/, "")
    .replace(/[\t\n\r]/g, "");
  const [before, fragment] = cut(withoutEnd(text), "#");
  const said = /^([a-zA-Z][a-zA-Z0-9+.-]*:)(.*)$/s.exec(before);
  const scheme = said?.[1]?.toLowerCase() ?? "";
  if (scheme === "file:" || (scheme === "" && base?.scheme === "file:"))
    throw new Invalid("files have none here");
  const rest = said?.[2] ?? before;
  const special = defaultPorts.has(scheme);
  const relative = special && scheme === base?.scheme && !/^[/\\]{2}/.test(rest);
  const found =
    scheme === "" || relative
      ? resolved(rest, base, fragment !== null)
      : absolute(scheme, rest, fragment !== null);
  return { ...found, fragment: fragment === null ? null : encodePercent(fragment, encodeSets.fragment) };
}

/** One step for each character, where an expression could take one for each pair of them. */
function withoutEnd(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) <= 0x20) end--;
  return text.slice(0, end);
}

function cut(text: string, mark: string): readonly [before: string, after: string | null] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

function queryOf(text: string | null, special: boolean): string | null {
  return text === null ? null : encodePercent(text, special ? encodeSets.specialQuery : encodeSets.query);
}

type Unmarked = Omit<Parts, "fragment">;

/** `rest`: what stands behind the scheme; `marked`: a fragment follows. */
function absolute(scheme: string, rest: string, marked: boolean): Unmarked {
  if (defaultPorts.has(scheme)) return withAuthority(scheme, rest.replace(/^[/\\]+/, ""), true);
  if (rest.startsWith("//")) return withAuthority(scheme, rest.slice(2), false);
  const [path, query] = cut(rest, "?");
  // A space before what follows would be gone if that were taken away.
  const open = path.endsWith(" ") && (marked || query !== null) ? `${path.slice(0, -1)}%20` : path;
  const seen = rest.startsWith("/") ? pathOf(path, false, []) : encodePercent(open, encodeSets.control);
  return { ...nowhere, scheme, path: seen, query: queryOf(query, false) };
}

function withAuthority(scheme: string, text: string, special: boolean): Unmarked {
  const end = text.search(special ? /[/\\?]/ : /[/?]/);
  const [authority, rest] = end < 0 ? [text, ""] : [text.slice(0, end), text.slice(end)];
  const [path, query] = cut(rest, "?");
  const about = authorityOf(authority, scheme, special);
  return { ...about, scheme, path: pathOf(path, special, []), query: queryOf(query, special) };
}

function authorityOf(text: string, scheme: string, special: boolean): Authority {
  const at = text.lastIndexOf("@");
  const [username, password] = cut(at < 0 ? "" : text.slice(0, at), ":");
  const place = text.slice(at + 1);
  const [, written = "", , port = ""] = /^(\[[^\]]*\]|[^:]*)(:(.*))?$/s.exec(place) ?? [];
  if (place !== "" && written === "" && port === "" && place !== ":") throw new Invalid("it has no host");
  if (!/^[0-9]*$/.test(port) || Number(port) > 65_535) throw new Invalid("its port is none");
  if (written === "" && (special || at >= 0 || place !== "")) throw new Invalid("it has no host");
  const host = written === "" ? "" : hostOf(written, special);
  if (host === null) throw new Invalid("its host is none");
  const number = port === "" ? "" : String(Number(port));
  return {
    username: encodePercent(username, encodeSets.userinfo),
    password: encodePercent(password ?? "", encodeSets.userinfo),
    host,
    port: number === defaultPorts.get(scheme) ? "" : number,
  };
}

const one = /^(?:\.|%2e)$/i;
const two = /^(?:\.|%2e){2}$/i;

/** Segments of a path that goes on from `from`. */
function pathOf(text: string, special: boolean, from: readonly string[]): readonly string[] {
  const slash = special ? /[/\\]/ : /\//;
  if (text === "" && !special) return from;
  const path = [...from];
  const segments = text.replace(special ? /^[/\\]/ : /^\//, "").split(slash);
  for (const [at, segment] of segments.entries()) {
    const last = at === segments.length - 1;
    if (two.test(segment)) path.pop();
    if (!two.test(segment) && !one.test(segment)) path.push(encodePercent(segment, encodeSets.path));
    else if (last) path.push("");
  }
  return path;
}

/** A relative one. */
function resolved(text: string, base: Parts | null, marked: boolean): Unmarked {
  if (base === null) throw new Invalid("it is relative, and to nothing");
  const { scheme, path: known } = base;
  if (typeof known === "string") {
    if (text !== "" || !marked) throw new Invalid("nothing is relative to what it stands in");
    return base;
  }
  const special = defaultPorts.has(scheme);
  if (special ? /^[/\\]{2}/.test(text) : text.startsWith("//")) {
    const after = text.slice(2);
    return withAuthority(scheme, special ? after.replace(/^[/\\]+/, "") : after, special);
  }
  const [path, query] = cut(text, "?");
  if (path === "") return query === null ? base : { ...base, query: queryOf(query, special) };
  const rooted = special ? /^[/\\]/.test(path) : path.startsWith("/");
  const seen = pathOf(path, special, rooted ? [] : known.slice(0, -1));
  return { ...base, path: seen, query: queryOf(query, special) };
}
