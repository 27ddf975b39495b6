/**
 * The door to the dashboard on loopback. Other users of the machine and pages of other sites reach loopback too, so nobody is let in
 * for being here: a link with a code, which works once, gets a browser a token, and the token is wanted with each question, in a
 * field that no other site can set. It stands in no cookie, since cookies are sent to every port of the machine. Host is looked
 * at (DNS rebinding), and Origin. Nothing here changes anything.
 */
import type { Clock, Random } from "../../runtime/contract.ts";
import { dashboardPaths, pagePaths, type PageSession } from "../api/dashboard_messages.ts";
import { controllerPaths } from "../api/messages.ts";
import { problemResponse, Refusal } from "../api/problem.ts";
import { limits } from "../model/limits.ts";

export interface Asset {
  readonly type: string;
  readonly text: string;
}

/** By path. */
export type Assets = Readonly<Record<string, Asset>>;

export interface PageDoorOptions<Who> {
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<Random, "bytes">;
  readonly assets: Assets;
  /** Asks the controller in the name of whoever the session belongs to. `request` has a path of the control API. */
  readonly forward: (request: Request, who: Who) => Response | Promise<Response>;
}

interface Entry<Who> {
  readonly who: Who;
  readonly untilMs: number;
}

export class PageDoor<Who> {
  readonly #codes = new Map<string, Entry<Who>>();
  readonly #sessions = new Map<string, Entry<Who>>();

  constructor(readonly options: PageDoorOptions<Who>) {}

  /** For the link of one browser, which acts as `who` then. */
  code(who: Who): string {
    return this.#keep(this.#codes, who, limits.dashboardCodeMs);
  }

  async handle(request: Request): Promise<Response> {
    try {
      return secured(await this.#answer(request));
    } catch (error) {
      return secured(problemResponse(error));
    }
  }

  #answer(request: Request): Response | Promise<Response> {
    requireLoopbackName(request.headers.get("host"));
    const { pathname } = new URL(request.url);
    const asset = Object.hasOwn(this.options.assets, pathname) ? this.options.assets[pathname] : undefined;
    if (asset !== undefined) return assetAnswer(request, asset);
    requireOwnPage(request);
    if (pathname === pagePaths.session) return this.#begin(request);
    const { who } = this.#sessionOf(request);
    return this.#forward(request, pathname, who);
  }

  async #begin(request: Request): Promise<Response> {
    requireMethod(request, "POST");
    const { code } = (await bodyOf(request)) as { readonly code?: unknown };
    const entry = typeof code === "string" ? this.#living(this.#codes, code) : null;
    if (entry === null)
      throw new Refusal(
        401,
        "This link was used already, or is too old",
        "heddle dashboard prints a new one",
      );
    this.#codes.delete(code as string);
    const token = this.#keep(this.#sessions, entry.who, limits.dashboardSessionMs);
    return Response.json({ token } satisfies PageSession);
  }

  async #forward(request: Request, path: string, who: Who): Promise<Response> {
    if (path === pagePaths.ask) {
      requireMethod(request, "POST");
      const body = JSON.stringify(await bodyOf(request));
      return this.options.forward(
        new Request(`http://control${controllerPaths.ask}`, { method: "POST", body }),
        who,
      );
    }
    requireMethod(request, "GET");
    return this.options.forward(new Request(`http://control${controlPathOf(path)}`), who);
  }

  #sessionOf(request: Request): Entry<Who> {
    const token = /^Bearer ([A-Za-z0-9_-]{10,100})$/.exec(request.headers.get("authorization") ?? "")?.[1];
    const entry = token === undefined ? null : this.#living(this.#sessions, token);
    if (entry === null)
      throw new Refusal(
        401,
        "This browser has no session here, or it is over",
        "heddle dashboard prints a link",
      );
    return entry;
  }

  /** A word of 128 bits cannot be found by trying, or by how long a look takes. */
  #living(entries: Map<string, Entry<Who>>, word: string): Entry<Who> | null {
    const entry = entries.get(word);
    return entry !== undefined && entry.untilMs > this.options.clock.now() ? entry : null;
  }

  #keep(entries: Map<string, Entry<Who>>, who: Who, lifeMs: number): string {
    const { clock, random } = this.options;
    const word = random.bytes(16).toBase64({ alphabet: "base64url", omitPadding: true });
    const nowMs = clock.now();
    for (const [key, { untilMs }] of entries) if (untilMs <= nowMs) entries.delete(key);
    for (const key of entries.keys()) if (entries.size >= limits.dashboardSessionsMax) entries.delete(key);
    entries.set(word, { who, untilMs: nowMs + lifeMs });
    return word;
  }
}

/** Throws for what no page asks for. */
function controlPathOf(path: string): string {
  if (path === pagePaths.mesh) return dashboardPaths.mesh;
  if (path === pagePaths.machines) return dashboardPaths.machines;
  const key = path.startsWith(pagePaths.services) ? path.slice(pagePaths.services.length) : "";
  if (key === "" || key.includes("/")) throw new Refusal(404, "There is no such page");
  return dashboardPaths.service.replace(":key", key);
}

/** Whatever leads here from elsewhere has another name: one of a site that was made to mean this machine. */
function requireLoopbackName(host: string | null): void {
  const name = (host ?? "").replace(/:\d{1,5}$/, "").toLowerCase();
  if (name === "localhost" || name === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(name)) return;
  throw new Refusal(403, "Ask for it as localhost, or by a loopback address");
}

/** A browser says where a question comes from; what is none says nothing, and needs the token as well. */
function requireOwnPage({ headers }: Request): void {
  const [origin, site] = [headers.get("origin"), headers.get("sec-fetch-site")];
  const own = origin === null || origin === `http://${headers.get("host")}`;
  if (own && (site === null || site === "same-origin")) return;
  throw new Refusal(403, "A page of another site may not ask for this");
}

function requireMethod(request: Request, method: "GET" | "POST"): void {
  if (request.method !== method) throw new Refusal(400, `Only ${method} works here`);
}

async function bodyOf(request: Request): Promise<unknown> {
  const text = await request.text();
  if (text.length > limits.dashboardBodyBytesMax)
    throw new Refusal(413, `The question is larger than ${limits.dashboardBodyBytesMax} bytes`);
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null) return body;
  } catch {
    // Told below.
  }
  throw new Refusal(400, "Cannot read the question: expected JSON");
}

function assetAnswer(request: Request, { type, text }: Asset): Response {
  if (request.method !== "GET" && request.method !== "HEAD") throw new Refusal(400, "Only GET works here");
  return new Response(text, { headers: { "content-type": type } });
}

/** Nothing from elsewhere, nothing inline, no text that becomes markup, in nobody's frame. */
const securityFields: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

function secured(answer: Response): Response {
  for (const [name, value] of Object.entries(securityFields)) answer.headers.set(name, value);
  return answer;
}
