/**
 * Rotating the root without a restart and without a lost request: trust the new one everywhere, sign with it, drop the old
 * one when no leaf below it lives. Each step waits for an operator, and refuses to come too early.
 */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../../api/body.ts";
import { requireCaller, type ControlEnv } from "../../api/caller.ts";
import { controllerPaths, type AuthorityAnswer } from "../../api/messages.ts";
import { Refusal } from "../../api/problem.ts";
import { RotationRefused, type Authority } from "../../identity/authority.ts";

export interface RotationOptions {
  readonly authority: Authority;
  /** Machines of the mesh, and those of them that have not acknowledged the newest snapshot, and so may not trust every root. */
  readonly machines: () => { readonly all: number; readonly behind: readonly string[] };
  /** The roots or the signer changed: publish, and renew what the controller's machine holds. */
  readonly changed: () => Promise<void>;
}

export class Rotation {
  constructor(readonly options: RotationOptions) {}

  status(): AuthorityAnswer {
    const { authority, machines } = this.options;
    const { all, behind } = machines();
    const { bundle, phase, oldLeavesEndMs } = authority;
    return {
      phase,
      roots: bundle.rootsPem.length,
      sequence: bundle.sequence,
      machines: all,
      behind,
      oldLeavesEndMs,
    };
  }

  /** Takes the next step. `force` goes on although machines are behind: they will have to join again. */
  async next(force: boolean): Promise<AuthorityAnswer> {
    const { authority, machines, changed } = this.options;
    const { behind } = machines();
    if (authority.phase === "added" && behind.length > 0 && !force) {
      throw new Refusal(
        409,
        `Cannot sign with the new root yet: ${behind.join(", ")} ${behind.length === 1 ? "does" : "do"} not trust it`,
        "Wait until they are connected, remove them with heddle node remove, or go on with --force: they must join again then",
      );
    }
    try {
      if (authority.phase === "none") await authority.addRoot();
      else if (authority.phase === "added") await authority.switchRoot();
      else await authority.removeOldRoot();
    } catch (error) {
      if (error instanceof RotationRefused) throw new Refusal(409, error.message);
      throw error;
    }
    await changed();
    return this.status();
  }
}

export function mountRotationRoutes(app: Hono<ControlEnv>, rotation: Rotation): void {
  const { trustDomain } = rotation.options.authority;
  app.get(controllerPaths.authority, (context) => {
    requireCaller(context, trustDomain, "operator");
    return context.json(rotation.status());
  });
  app.post(`${controllerPaths.authority}/rotate`, async (context) => {
    requireCaller(context, trustDomain, "operator");
    const { force } = await readBody(context.req.raw, v.strictObject({ force: v.boolean() }));
    return context.json(await rotation.next(force));
  });
}
