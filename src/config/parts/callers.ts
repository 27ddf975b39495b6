/** Who calls, as access rules and routes name it. */
import { isServiceName } from "../fields.ts";

/** A service, a SPIFFE ID, or the beginning of some that ends in `/*`. */
export function isCaller(text: string): boolean {
  if (!text.startsWith("spiffe://")) return isServiceName(text);
  const [domain = "", ...segments] = text.slice("spiffe://".length).split("/");
  const fits = (segment: string, at: number): boolean =>
    (segment === "*" && at === segments.length - 1) ||
    (/^[A-Za-z0-9._-]+$/.test(segment) && !/^\.{1,2}$/.test(segment));
  return /^[a-z0-9._-]{1,255}$/.test(domain) && segments.length > 0 && segments.every(fits);
}
