/**
 * Rotating the root without a restart and without a lost request: trust the new one everywhere, sign with it, drop the old
 * one when no leaf below it lives. Each step waits for an operator, and refuses to come too early. In a hurry (`now`), because
 * the old root is in wrong hands, everybody renews at once, and it is dropped when all have.
 */
import type { Hono } from "hono";
import * as v from "valibot";
import type { Clock } from "../../../runtime/contract.ts";
import { readBody } from "../../api/body.ts";
import type { ControlEnv } from "../../api/caller.ts";
import { controllerPaths } from "../../api/messages.ts";
import type { AuthorityAnswer } from "../../api/authority_messages.ts";
import { Refusal } from "../../api/problem.ts";
import { RotationRefused, type Authority } from "../../identity/authority.ts";
import { limits } from "../../model/limits.ts";
import type { Operators } from "../operators.ts";

export interface RotationOptions {
  readonly authority: Authority;
  readonly clock: Pick<Clock, "wallMs">;
  /** Machines of the mesh, and those of them that have not acknowledged the newest snapshot, and so may not trust every root. */
  readonly machines: () => {
    readonly all: number;
    readonly names: readonly string[];
    readonly behind: readonly string[];
  };
  /** By machine: when its certificates were issued last. */
  readonly renewals: () => Promise<ReadonlyMap<string, number>>;
  /** The roots or the signer changed: publish, and renew what the controller's machine holds. */
  readonly changed: () => Promise<void>;
}

/** `force` goes on although machines are behind: they will have to join again. */
export interface RotationStep {
  readonly force: boolean;
  readonly now: boolean;
}

export class Rotation {
  /** When the last step was taken here. */
  #steppedMs = 0;

  constructor(readonly options: RotationOptions) {}

  async status(): Promise<AuthorityAnswer> {
    const { authority, machines } = this.options;
    const { all, behind } = machines();
    const { bundle, phase, oldLeavesEndMs } = authority;
    return {
      phase,
      roots: bundle.rootsPem.length,
      sequence: bundle.sequence,
      machines: all,
      behind,
      notRenewed: await this.#notRenewed(),
      oldLeavesEndMs,
    };
  }

  /** Takes the next step. */
  async next(step: RotationStep): Promise<AuthorityAnswer> {
    const { authority, changed, clock } = this.options;
    if (step.now) this.#requireSettled();
    try {
      if (authority.phase === "none") await authority.addRoot();
      else if (authority.phase === "added") await this.#switch(step);
      else if (step.now && !authority.renewsNow) await authority.hurry();
      else await this.#drop(step);
    } catch (error) {
      if (error instanceof RotationRefused) throw new Refusal(409, error.message);
      throw error;
    }
    this.#steppedMs = clock.wallMs();
    await changed();
    return await this.status();
  }

  /** The registry reads what it was given from a file, now and then: it has to trust a root before that signs. */
  #requireSettled(): void {
    if (this.options.clock.wallMs() >= this.#steppedMs + limits.rotationSettleMs) return;
    throw new Refusal(409, "Cannot take the next step yet: the registry may not know the last one");
  }

  async #switch({ force, now }: RotationStep): Promise<void> {
    const { authority, machines } = this.options;
    const { behind } = machines();
    if (behind.length > 0 && !force)
      throw new Refusal(
        409,
        `Cannot sign with the new root yet: ${behind.join(", ")} ${behind.length === 1 ? "does" : "do"} not trust it`,
        "Wait until they are connected, remove them with heddle node remove, or go on with --force: they must join again then",
      );
    await authority.switchRoot();
    if (now) await authority.hurry();
  }

  async #drop({ force, now }: RotationStep): Promise<void> {
    const { authority } = this.options;
    if (!now) return authority.removeOldRoot();
    const late = await this.#notRenewed();
    if (late.length > 0 && !force)
      throw new Refusal(
        409,
        `Cannot drop the old root yet: ${late.join(", ")} ${late.length === 1 ? "has" : "have"} not renewed`,
        "Wait until they are connected, remove them with heddle node remove, or go on with --force: they must join again then",
      );
    await authority.removeOldRoot(true);
  }

  /** While the old root is on its way out: machines whose certificates are below it. */
  async #notRenewed(): Promise<readonly string[]> {
    const { authority, machines, renewals } = this.options;
    if (authority.phase !== "switched") return [];
    // A registry that does not know the new root yet cannot tell: nobody counts as renewed then.
    const last = await renewals().catch(() => new Map<string, number>());
    return machines().names.filter((name) => (last.get(name) ?? 0) <= authority.switchedMs);
  }
}

export function mountRotationRoutes(
  app: Hono<ControlEnv>,
  {
    rotation,
    operators,
    log,
  }: { readonly rotation: Rotation; readonly operators: Operators; readonly log: (text: string) => void },
): void {
  app.get(controllerPaths.authority, async (context) => {
    operators.require(context, "viewer");
    return context.json(await rotation.status());
  });
  app.post(`${controllerPaths.authority}/rotate`, async (context) => {
    const operator = operators.require(context, "admin");
    const schema = v.strictObject({ force: v.boolean(), now: v.optional(v.boolean(), false) });
    const step = await readBody(context.req.raw, schema);
    const answer = await rotation.next(step);
    const how = `${step.now ? ", in a hurry" : ""}${step.force ? ", by force" : ""}`;
    log(`${operator.name} rotated the root${how}: ${phaseWords[answer.phase]}`);
    return context.json(answer);
  });
}

const phaseWords: Readonly<Record<AuthorityAnswer["phase"], string>> = {
  none: "the old one is trusted no more",
  added: "a new one is trusted beside the old one",
  switched: "the new one signs",
};
