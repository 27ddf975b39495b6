/** What a machine is and trusts, as its shards are told it. */
import type { CredentialStore } from "../../identity/credential_store.ts";
import type { ShardCredentials } from "./messages.ts";

export function credentialsNow(
  { services, bundle }: Pick<CredentialStore, "services" | "bundle">,
  denied: ReadonlySet<string>,
): ShardCredentials {
  const told = [...services].map(([key, { notAfterMs, tls }]) => [key, { notAfterMs, tls }] as const);
  return { services: Object.fromEntries(told), rootsPem: bundle?.rootsPem ?? [], denied: [...denied] };
}
