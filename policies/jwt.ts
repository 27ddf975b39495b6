/**
 * Lets requests pass that bring a JSON Web Token which its issuer signed for this audience (RFC 7519), and tells the service what stands in it.
 *
 * ```yaml
 * policies:
 * - use: jwt
 *   with:
 *     issuer: https://id.example
 *     audience: [orders]
 *     keys: {service: id, path: /.well-known/jwks.json}
 *     claims: {x-user: sub}
 * ```
 *
 * The public keys (RFC 7517) come from that service, are kept for `refresh` and asked for again where a token names one that is not among them, or stand in the document:
 * `keys: {set: [{kty: …}]}`. Headers under `claims` are the policy's alone: what a client sends in them is left out. `optional: true` lets
 * requests without a token pass, without those headers. Others are answered 401. Without any keys nothing passes.
 */
import {
  definePolicy,
  fromBase64Url,
  next,
  respond,
  TextDecoder,
  type Duration,
  type PolicyContext,
  type SignatureCheck,
} from "heddle/policy";
import * as v from "valibot";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const duration = v.custom<Duration>(
  (value) => typeof value === "string" && /^[1-9]\d{0,6}(ms|s|m|h)$/.test(value),
  "expected a duration such as 10m",
);
function msOf(written: Duration): number {
  const [, count = "", unit = ""] = /^(\d+)(\D+)$/.exec(written) ?? [];
  return Number(count) * (unitMs[unit] ?? 0);
}

const algorithm = v.picklist(["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]);
const key = v.looseObject({ kty: v.picklist(["RSA", "EC", "OKP"]), kid: v.optional(v.string()) });
type Key = v.InferOutput<typeof key>;
/** Of an issuer: keys of other kinds are left out. */
const keySet = v.object({ keys: v.array(v.unknown()) });
const head = v.looseObject({ alg: v.string(), kid: v.optional(v.string()), crit: v.optional(v.unknown()) });
const claimSet = v.looseObject({
  iss: v.optional(v.string()),
  aud: v.optional(v.union([v.string(), v.array(v.string())])),
  exp: v.optional(v.number()),
  nbf: v.optional(v.number()),
});
type Claims = v.InferOutput<typeof claimSet>;

const options = v.strictObject({
  issuer: v.pipe(v.string(), v.nonEmpty()),
  /** One of them must stand in the token. */
  audience: v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.minLength(1)),
  keys: v.union([
    v.strictObject({
      service: v.pipe(v.string(), v.nonEmpty()),
      path: v.pipe(v.string(), v.startsWith("/")),
    }),
    v.strictObject({ set: v.pipe(v.array(key), v.minLength(1)) }),
  ]),
  algorithms: v.optional(v.pipe(v.array(algorithm), v.minLength(1)), ["RS256", "ES256", "EdDSA"]),
  /** Header of the request, with `Bearer ` before the token or without. */
  header: v.optional(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()), "authorization"),
  /** Header for the service to the name of a claim. */
  claims: v.optional(v.record(v.pipe(v.string(), v.toLowerCase()), v.string()), {}),
  optional: v.optional(v.boolean(), false),
  refresh: v.optional(duration, "10m"),
  /** How far clocks may be apart. */
  leeway: v.optional(duration, "30s"),
});

interface State {
  keys: readonly Key[];
  /** When it was known how asking for them ended, and when they came. */
  askedMs: number;
  cameMs: number;
  /** When somebody began to ask for them. */
  beganMs: number;
  /** Claims of tokens whose signature was found right under these keys. */
  readonly known: Map<string, Claims>;
}
type Context = PolicyContext<v.InferOutput<typeof options>, State>;

/** Keys that nobody could renew are used for so long. */
const staleMs = 3_600_000;
/** An issuer is asked no more often because of tokens that it did not sign. */
const againMs = 10_000;
const knownMax = 1_000;
/** How long one asks at most: `limits.wait` below. */
const waitMs = 500;

function parsed<Schema extends v.GenericSchema>(schema: Schema, part: string): v.InferOutput<Schema> | null {
  const bytes = fromBase64Url(part);
  if (bytes === null) return null;
  try {
    const result = v.safeParse(schema, JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}

/** Whether there are no keys that anybody may go by. */
function isOver(context: Context): boolean {
  const ageMs = context.now() - context.state.cameMs;
  return ageMs > Math.max(staleMs, msOf(context.options.refresh));
}

/** Asks the issuer for its keys. Throws where there are none to go by. */
async function renew(context: Context): Promise<void> {
  const { options, state } = context;
  if ("set" in options.keys) {
    state.keys = options.keys.set;
    state.cameMs = Infinity;
    return;
  }
  state.beganMs = context.now();
  try {
    const answer = await context.call(options.keys.service, options.keys.path);
    if (answer.status !== 200) throw new Error(`${options.keys.service} answered ${answer.status}`);
    state.keys = v.parse(keySet, answer.json()).keys.flatMap((each) => (v.is(key, each) ? [each] : []));
    state.cameMs = context.now();
    state.known.clear();
  } catch (error) {
    if (isOver(context)) throw error;
    context.log("warn", `The keys of ${options.issuer} could not be renewed: ${String(error)}`);
  } finally {
    state.askedMs = context.now();
  }
}

/** The key of that name; without a name the only one there is. */
function keyOf(keys: readonly Key[], kid: string | undefined): Key | undefined {
  if (kid === undefined) return keys.length === 1 ? keys[0] : undefined;
  return keys.find((each) => each.kid === kid);
}

/** The claims of a token whose signature is right, or why it is not taken. */
async function verified(token: string, context: Context): Promise<Claims | string> {
  const { options, state } = context;
  const [first = "", second = "", signature = "", ...more] = token.split(".");
  const header = parsed(head, first);
  const claims = parsed(claimSet, second);
  if (header === null || claims === null || more.length > 0) return "it is no token";
  const { alg, kid } = header;
  if (header.crit !== undefined || !v.is(algorithm, alg) || !options.algorithms.includes(alg))
    return "it is signed in another way";
  const recently = (): boolean => context.now() - state.askedMs <= againMs;
  const isOld = context.now() - state.cameMs > msOf(options.refresh);
  // While one request asks, the others go by the keys that there are.
  const isAsked = context.now() - state.beganMs <= waitMs;
  if (isOver(context) || (isOld && !recently() && !isAsked)) await renew(context);
  const known = state.known.get(token);
  if (known !== undefined) return known;
  if (keyOf(state.keys, kid) === undefined && !recently()) await renew(context);
  const { keys } = state;
  const found = keyOf(keys, kid);
  if (found === undefined) return "nobody knows the key that it was signed with";
  const check: SignatureCheck = { algorithm: alg, key: found, signature, data: `${first}.${second}` };
  const right = await context.verify(check).catch(() => false);
  if (!right) return "its signature is wrong";
  // Keys that came meanwhile may be without this one: the next request asks them.
  if (state.keys !== keys) return claims;
  state.known.set(token, claims);
  const [oldest] = state.known.keys();
  if (state.known.size > knownMax && oldest !== undefined) state.known.delete(oldest);
  return claims;
}

/** Why these claims do not hold here and now; null when they do. */
function problemOf({ iss, aud, exp, nbf }: Claims, context: Context): string | null {
  const { options } = context;
  const nowS = context.now() / 1_000;
  const leewayS = msOf(options.leeway) / 1_000;
  if (iss !== options.issuer) return "it is of another issuer";
  const meant = aud === undefined ? [] : typeof aud === "string" ? [aud] : aud;
  if (!meant.some((each) => options.audience.includes(each))) return "it is meant for another audience";
  if (exp === undefined || exp + leewayS <= nowS) return "it has expired";
  return nbf !== undefined && nbf - leewayS > nowS ? "it does not hold yet" : null;
}

/** What can stand in a header: other claims are left out. */
function shown(value: unknown): string | null {
  const text =
    typeof value === "string"
      ? value
      : typeof value === "number" || typeof value === "boolean"
        ? String(value)
        : "";
  return /^[!-~](?:[ -~]{0,998}[!-~])?$/.test(text) ? text : null;
}

/** These headers, and those of the request that pose as them: CGI and its heirs cannot tell `_` from `-`. */
function withPosing(
  names: readonly string[],
  headers: Iterable<readonly [name: string, value: string]>,
): string[] {
  const plain = new Set(names.map((name) => name.replaceAll("_", "-")));
  const posing = [...headers].flatMap(([name]) => (plain.has(name.replaceAll("_", "-")) ? [name] : []));
  return [...new Set([...names, ...posing])];
}

export default definePolicy({
  api: 1,
  name: "jwt",
  version: "1.0.0",
  options,
  onError: "closed",
  limits: { wait: "500ms" },
  state: (): State => ({
    keys: [],
    askedMs: -Infinity,
    cameMs: -Infinity,
    beganMs: -Infinity,
    known: new Map(),
  }),
  async onRequest(request, context) {
    const { header, optional, claims: told } = context.options;
    const [written, ...more] = request.headers.getAll(header);
    const remove = withPosing(Object.keys(told), request.headers);
    if (written === undefined && optional) return next({ headers: { remove } });
    const token = /^(?:bearer +)?([\w.-]+)$/i.exec(written ?? "")?.[1];
    const found = token === undefined || more.length > 0 ? "there is none" : await verified(token, context);
    const problem = typeof found === "string" ? found : problemOf(found, context);
    if (typeof found === "string" || problem !== null) {
      context.count("refused");
      const challenge = written === undefined ? "Bearer" : 'Bearer error="invalid_token"';
      return respond(401, `token: ${problem}`, "A token is needed\n", { "www-authenticate": challenge });
    }
    const set = Object.fromEntries(
      Object.entries(told).flatMap(([name, claim]) => {
        const value = shown(Object.hasOwn(found, claim) ? found[claim] : undefined);
        return value === null ? [] : [[name, value]];
      }),
    );
    return next({ headers: { remove, set } });
  },
});
