/**
 * Lets in who calls from these addresses, IPv4 or IPv6, one by one or by prefix; everybody else is answered 403.
 *
 * ```yaml
 * policies:
 * - use: ip-allow
 *   with: {allow: [10.0.0.0/8, "2001:db8::/32"], deny: [10.1.2.3]}
 * ```
 *
 * The address is that of the connection, or what the PROXY protocol says where a listener expects it (`proxyProtocol` of a
 * Machine): this is for proxies behind a load balancer. Between services identities count, and `kind: Access` is the place for them.
 */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

/** As bits, v4 and v6 apart; null: no address. */
function bitsOf(address: string): { readonly bits: string } | null {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(mapped)) {
    const parts = mapped.split(".").map(Number);
    return parts.some((part) => part > 255)
      ? null
      : { bits: `4${parts.map((part) => binary(part, 8)).join("")}` };
  }
  const halves = mapped.split("::");
  if (!/^[0-9a-f:]+$/i.test(mapped) || halves.length > 2) return null;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array.from({ length: Math.max(0, missing) }, () => "0"), ...tail];
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return null;
  return { bits: `6${groups.map((group) => binary(Number.parseInt(group, 16), 16)).join("")}` };
}

function binary(value: number, width: number): string {
  return value.toString(2).padStart(width, "0");
}

/** The bits with which addresses of it begin; null: no address and no prefix. */
function prefixOf(written: string): string | null {
  const [address = "", length] = written.split("/");
  const bits = bitsOf(address)?.bits;
  if (bits === undefined || written.split("/").length > 2) return null;
  if (length === undefined) return bits;
  const many = Number(length);
  return /^\d{1,3}$/.test(length) && many <= bits.length - 1 ? bits.slice(0, many + 1) : null;
}

const prefix = v.pipe(
  v.string(),
  v.check((text) => prefixOf(text) !== null, "expected an address or a prefix such as 10.0.0.0/8"),
  v.transform((text) => prefixOf(text) ?? ""),
);

export default definePolicy({
  api: 1,
  name: "ip-allow",
  version: "1.0.0",
  options: v.strictObject({
    allow: v.pipe(v.array(prefix), v.minLength(1)),
    /** Counts over `allow`. */
    deny: v.optional(v.array(prefix), []),
  }),
  onError: "closed",
  onRequest(_request, context) {
    const { allow, deny } = context.options;
    const bits = bitsOf(context.address ?? "")?.bits;
    const within = (all: readonly string[]): boolean =>
      bits !== undefined && all.some((each) => bits.startsWith(each));
    if (within(allow) && !within(deny)) return next();
    return respond(403, `${context.address ?? "an unknown address"} is not allowed`, "Forbidden\n");
  },
});
