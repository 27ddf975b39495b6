/** What the proxy of this machine tells of its policies and apps, as its admin page has it. */
import * as v from "valibot";
import type { Runtime } from "../../runtime/contract.ts";
import type { GatewayStatus } from "./gateway_watch.ts";
import type { NamesStatus } from "./mesh_names.ts";
import { serviceKey } from "../model/service.ts";
import { plainGet } from "./plain_get.ts";

export interface AppHealth {
  readonly service: string;
  /** Where it listens. */
  readonly port: number;
  readonly ready: boolean;
  /** Why it is not ready; null while it is, and before the first look. */
  readonly problem: string | null;
}

export interface ProxyPage {
  /** What it goes by, as it read that when it started; undefined where it does not say. */
  readonly settings?: unknown;
  readonly machine?: unknown;
  readonly policies: readonly { readonly name: string; readonly state: string; readonly detail: string }[];
  readonly apps: readonly AppHealth[];
  /** Absent from a proxy of before. */
  readonly names?: NamesStatus | undefined;
  readonly gateways?: readonly GatewayStatus[] | undefined;
  /** Keys of the services that this machine may be; undefined before the first snapshot. */
  readonly locals?: readonly string[];
  /** Of those: what an operator took out. */
  readonly drained?: readonly string[];
}

const page = v.object({
  settings: v.optional(v.unknown()),
  machine: v.optional(v.unknown()),
  snapshot: v.nullish(
    v.object({
      locals: v.array(
        v.object({
          service: v.object({ name: v.string(), namespace: v.string() }),
          drained: v.optional(v.boolean()),
        }),
      ),
    }),
  ),
  policies: v.object({
    policies: v.array(v.object({ name: v.string(), state: v.string(), detail: v.string() })),
  }),
  apps: v.optional(
    v.array(
      v.object({
        service: v.string(),
        port: v.number(),
        ready: v.boolean(),
        problem: v.nullable(v.string()),
      }),
    ),
    [],
  ),
  gateways: v.optional(
    v.array(
      v.object({
        gateway: v.string(),
        ports: v.array(v.object({ address: v.string(), port: v.number() })),
        certificates: v.array(
          v.object({
            certificate: v.string(),
            problem: v.nullable(v.string()),
            notAfterMs: v.nullable(v.number()),
          }),
        ),
      }),
    ),
  ),
  names: v.optional(
    v.object({
      dns: v.nullable(v.string()),
      problem: v.nullable(v.string()),
      names: v.number(),
      listeners: v.number(),
      without: v.array(v.object({ reason: v.string(), cure: v.string(), services: v.array(v.string()) })),
    }),
  ),
});

/** null when no proxy tells. */
export async function readProxyPage(
  runtime: Pick<Runtime, "net" | "clock">,
  host: string,
  port: number,
): Promise<ProxyPage | null> {
  try {
    const { text } = await plainGet(runtime, host, port, "/config");
    const { policies, snapshot, ...rest } = v.parse(page, JSON.parse(text));
    const own = { policies: policies.policies, ...rest };
    if (snapshot == null) return own;
    const keysOf = (some: typeof snapshot.locals): string[] => some.map(({ service }) => serviceKey(service));
    const { locals } = snapshot;
    return {
      ...own,
      locals: keysOf(locals),
      drained: keysOf(locals.filter((each) => each.drained === true)),
    };
  } catch {
    return null;
  }
}
