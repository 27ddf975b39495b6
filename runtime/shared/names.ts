/** DNS by the resolver of this machine; what that does not know, such as names in /etc/hosts, by its libraries. */
import { lookup, Resolver } from "node:dns/promises";
import type { Names, ResolvedAddress } from "../contract.ts";

/** Of what says none itself. */
const usualTtlMs = 30_000;
const timeoutMs = 5_000;

export const names: Names = {
  async resolve(name) {
    const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
    const asked = await Promise.allSettled([
      resolver.resolve4(name, { ttl: true }),
      resolver.resolve6(name, { ttl: true }),
    ]);
    const found = asked.flatMap((each): ResolvedAddress[] =>
      each.status === "rejected"
        ? []
        : each.value.map(({ address, ttl }) => ({ address, ttlMs: ttl * 1_000 })),
    );
    if (found.length > 0) return found;
    const others = await lookup(name, { all: true });
    return others.map(({ address }) => ({ address, ttlMs: usualTtlMs }));
  },
};
