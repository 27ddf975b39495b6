/** Who calls a control API, and the one sentence for whoever must not. */
import type { Context, MiddlewareHandler } from "hono";
import type { Caller } from "./control.ts";
import type { LinesUp } from "./lines_up.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import type { Principal } from "../model/identity.ts";
import { Refusal } from "./problem.ts";

/** The environment of a control API's Hono app. */
export interface ControlEnv {
  readonly Bindings: { readonly caller: Caller; readonly lines?: LinesUp };
}

export interface Vouching {
  readonly wallMs: () => number;
  readonly isRevoked: (serial: string) => boolean;
}

/** Refuses a certificate that was good when the connection began and is not any more. */
export function vouchForCaller({ wallMs, isRevoked }: Vouching): MiddlewareHandler<ControlEnv> {
  return async (context, next) => {
    const { certificate, spiffeId } = context.env.caller;
    if (certificate !== null && certificate.notAfterMs < wallMs())
      throw new Refusal(401, `The certificate of ${spiffeId} has ended`, "Connect again with a newer one");
    if (certificate !== null && isRevoked(certificate.serial))
      throw new Refusal(403, `The certificate of ${spiffeId} was revoked`, "Join again with a new token");
    await next();
  };
}

/** The caller's principal; null without a certificate or with one of no known form. */
function callerOf(context: Context<ControlEnv>, trustDomain: string): Principal | null {
  return principalOf(context.env.caller.spiffeId, trustDomain);
}

/** The caller when it is of the kind; refuses everyone else. */
export function requireCaller<Kind extends Principal["kind"]>(
  context: Context<ControlEnv>,
  trustDomain: string,
  ...kinds: readonly Kind[]
): Extract<Principal, { kind: Kind }> {
  const caller = callerOf(context, trustDomain);
  if (caller !== null && (kinds as readonly string[]).includes(caller.kind))
    return caller as Extract<Principal, { kind: Kind }>;
  const shown = context.env.caller.spiffeId ?? "a caller without certificate";
  throw new Refusal(
    caller === null ? 401 : 403,
    `${shown} may not do this: it takes the certificate of the kind ${kinds.join(" or ")}`,
  );
}
