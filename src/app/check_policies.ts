/** Policies that the proxy of this machine does not ask, as its admin page tells. */
import * as v from "valibot";
import type { Runtime } from "../../runtime/contract.ts";
import { plainGet } from "./plain_get.ts";

export interface PolicyAside {
  readonly name: string;
  readonly detail: string;
}

const page = v.object({
  policies: v.object({
    policies: v.array(v.object({ name: v.string(), state: v.string(), detail: v.string() })),
  }),
});

/** How many policies there are, and which of them are put aside; null when no proxy tells. */
export async function readPolicies(
  runtime: Pick<Runtime, "net" | "clock">,
  host: string,
  port: number,
): Promise<{ readonly count: number; readonly aside: readonly PolicyAside[] } | null> {
  try {
    const { text } = await plainGet(runtime, host, port, "/config");
    const { policies } = v.parse(page, JSON.parse(text)).policies;
    const aside = policies.filter(({ state }) => state !== "ready" && state !== "waiting");
    return { count: policies.length, aside };
  } catch {
    return null;
  }
}
