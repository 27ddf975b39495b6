/**
 * Fields that neither policies nor routes may write or remove: they frame the message, belong to one hop, or say who somebody is. As
 * careless readers read them, in lower case and `_` as `-`, so that no underscore leads past the list.
 */
export const reservedFields: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "forwarded",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-request-id",
]);

/** The same of names as documents write them, those that begin as heddle's own do among them. */
export function isReservedField(name: string): boolean {
  const plain = name.toLowerCase().replaceAll("_", "-");
  if (plain.startsWith("x-heddle-") || plain === "x-forwarded-client-cert") return true;
  return reservedFields.has(plain) || (name.includes("_") && plain.startsWith("x-forwarded-"));
}
