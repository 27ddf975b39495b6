/** What tokens of a service's sessions are sealed with, from the secret of the mesh. */
import { createHmac } from "node:crypto";
import type { Destination } from "../../model/snapshot.ts";
import type { SessionPersistence } from "../../model/traffic.ts";
import type { SessionSecret } from "../session_secret.ts";

export function sessionKeys(
  { secret, before }: SessionSecret,
  key: string,
): Pick<Destination, "sessionKey" | "sessionKeyBefore"> {
  const keyFrom = (from: string): string =>
    createHmac("sha256", Uint8Array.fromBase64(from)).update(`heddle-session:${key}`).digest("base64");
  const sessionKey = keyFrom(secret);
  if (before === undefined) return { sessionKey };
  const replacedS = Math.ceil(before.replacedMs / 1_000);
  return { sessionKey, sessionKeyBefore: { key: keyFrom(before.secret), replacedS } };
}

/** Whether any of those says something of sessions. */
export function areSaid(
  all: readonly ({ readonly sessionPersistence?: SessionPersistence } | undefined)[],
): boolean {
  return all.some((each) => (each?.sessionPersistence?.type ?? "None") !== "None");
}
