/** Sessions as a state makes them of what documents say, and of the keys that came with the service. */
import type { Destination } from "../../model/snapshot.ts";
import { serviceKey } from "../../model/service.ts";
import { wholeGroup, type SessionPersistence } from "../../model/traffic.ts";
import { Sessions } from "../balance/sessions.ts";

/** `rule`: whose own they are, `<route>/<rule>`, with what it says; null: the service says it. null: there are none. */
export function liveSessions(
  { service, sessionKey, sessionKeyBefore, traffic }: Destination,
  rule: { readonly name: string; readonly says: SessionPersistence } | null,
): Sessions | null {
  const said = rule === null ? traffic : { sessionPersistence: rule.says };
  const rules = wholeGroup("sessionPersistence", said);
  // Without a key that is one, there are no sessions rather than no snapshot on this machine.
  const current = keyOf(sessionKey);
  if (rules.type === "None" || current === null) return null;
  const before = keyOf(sessionKeyBefore?.key);
  const scope = { service: { key: serviceKey(service), name: service.name }, rule: rule?.name ?? null };
  return new Sessions(rules, scope, {
    current,
    before: before === null ? [] : [{ key: before, replacedS: sessionKeyBefore?.replacedS ?? 0 }],
  });
}

function keyOf(text: string | undefined): Uint8Array | null {
  return text !== undefined && /^[A-Za-z0-9+/]{43}=$/.test(text) ? Uint8Array.fromBase64(text) : null;
}
