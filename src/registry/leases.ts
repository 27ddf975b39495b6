/** Which leases have ended. */
import type { KeySpace } from "./key_space.ts";

/** How often stores look. */
export const leaseCheckMs = 250;

export function expireLeases(space: KeySpace, nowMs: number): string[] {
  const ended: string[] = [];
  for (const [id, lease] of space.leases) if (lease.deadlineMs <= nowMs) ended.push(id);
  return ended;
}
