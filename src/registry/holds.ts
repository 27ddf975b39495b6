/**
 * What controllers hold alone while they are alive: `holds/<name>` on a lease that they renew. Since when a holder holds it is a
 * revision, which fences what the one before may still say.
 */
import { registryKeys } from "../api/messages.ts";
import type { HoldAnswer, HoldRequest } from "../api/peer_messages.ts";
import { Refusal } from "../api/problem.ts";
import type { Store } from "./store.ts";

/** As it is kept. */
export interface StoredHold {
  readonly holder: string;
  readonly value: string;
}

const attemptsMax = 3;

/** `holder`: by the certificate. It renews what it holds already, takes what nobody holds, or is told who does. */
export async function hold(
  store: Store,
  holder: string,
  { name, value, ttlMs }: HoldRequest,
): Promise<HoldAnswer> {
  const key = registryKeys.holds + name;
  const lease = leaseOf(name, holder);
  const text = JSON.stringify({ holder, value } satisfies StoredHold);
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const standing = await store.current(key);
    const known = standing === null ? null : (JSON.parse(standing.value) as StoredHold);
    if (standing !== null && known !== null && known.holder !== holder)
      return { held: false, holder: known.holder, value: known.value, since: standing.created };
    await store.lease(lease, ttlMs);
    if (standing?.value === text) {
      // Its lease may have ended just before it was renewed.
      const still = await store.current(key);
      if (still?.created === standing.created) return { held: true, holder, value, since: standing.created };
      continue;
    }
    const conditions = [{ key, modified: standing?.modified ?? 0 }];
    const result = await store.commit(conditions, [{ do: "put", key, value: text, lease }]);
    if (result.ok) return { held: true, holder, value, since: standing?.created ?? result.revision };
  }
  throw new Refusal(503, `The hold ${name} changes all the time; try again`);
}

/** Another one may hold it at once. */
export async function release(store: Store, holder: string, name: string): Promise<void> {
  await store.revoke(leaseOf(name, holder));
}

function leaseOf(name: string, holder: string): string {
  return `hold:${name}:${holder}`;
}
