/** The life of policies, as operators steer it and proxies tell of it. */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../api/body.ts";
import { requireCaller, type ControlEnv } from "../api/caller.ts";
import { controllerPaths } from "../api/messages.ts";
import type { PolicyStep } from "../api/operator_messages.ts";
import { limits } from "../model/limits.ts";
import type { TrialReading } from "../model/trial.ts";
import type { Operators } from "./operators.ts";
import type { PolicyLife } from "./policy_life.ts";

export interface PolicyRouteOptions {
  readonly trustDomain: string;
  readonly operators: Operators;
  readonly life: PolicyLife;
  /** Refuses while nothing is known yet, or the machine is none of the mesh. */
  readonly requireMember: (node: string) => void;
  readonly requireReady: () => void;
}

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(limits.policyNameLengthMax));
const percent = v.pipe(v.number(), v.minValue(0), v.maxValue(100));
const hash = v.exactOptional(
  v.pipe(
    v.string(),
    v.regex(
      new RegExp(`^[0-9a-f]{${limits.policyHashStartLengthMin},64}$`),
      `expected the first ${limits.policyHashStartLengthMin} or more digits of a hash, as heddle policy show has them`,
    ),
  ),
);
const by = v.picklist(["request", "machine"]);
const files = v.pipe(
  v.array(v.strictObject({ file: v.pipe(v.string(), v.maxLength(4096)), text: v.string() })),
  v.maxLength(limits.policySourcesMax),
);
const stepSchema = v.variant("do", [
  v.strictObject({
    do: v.literal("try"),
    policies: files,
    mode: v.picklist(["shadow", "percent"]),
    percent,
    by,
  }),
  v.strictObject({ do: v.literal("share"), name, hash, percent, by }),
  v.strictObject({ do: v.literal("rollback"), name, hash }),
  v.strictObject({ do: v.picklist(["promote", "disable", "enable"]), name }),
]) satisfies v.GenericSchema<PolicyStep>;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Halves: what was long ago counts for less. */
const amount = v.pipe(v.number(), v.finite(), v.minValue(0));
const tally = v.strictObject({ calls: amount, failed: amount });
const slow = v.exactOptional(v.strictObject({ us: amount, now: tally, before: tally }));
const readingsSchema = v.pipe(
  v.array(
    // A newer proxy may tell more.
    v.object({
      ...{ name, hash: v.pipe(v.string(), v.maxLength(64)), now: tally, before: tally },
      ...{ agreed: count, differed: count, startedMs: v.exactOptional(v.pipe(v.number(), v.finite())) },
      ...{ earlier: v.exactOptional(tally), late: slow, costly: slow },
      differences: v.pipe(
        v.array(
          v.strictObject({ what: v.pipe(v.string(), v.maxLength(limits.policyReasonLengthMax)), count }),
        ),
        v.maxLength(limits.policyDifferencesMax + 1),
      ),
      returned: v.nullable(v.pipe(v.string(), v.maxLength(limits.policyReasonLengthMax))),
    }),
  ),
  v.maxLength(limits.policyProcessesMax),
) satisfies v.GenericSchema<readonly TrialReading[]>;

export function mountPolicyRoutes(app: Hono<ControlEnv>, options: PolicyRouteOptions): void {
  const { operators, life, requireReady, requireMember, trustDomain } = options;
  app.post(`${controllerPaths.policies}/steps`, async (context) => {
    const operator = operators.require(context, "editor");
    requireReady();
    return context.json(await life.step(await readBody(context.req.raw, stepSchema), operator.name));
  });
  app.put(controllerPaths.trials, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    const readings = await readBody(context.req.raw, readingsSchema);
    requireMember(caller.name);
    await life.told(caller.name, readings);
    return context.json({});
  });
}
