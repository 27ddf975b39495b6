/** What machines ask of the controller: their snapshot as a stream, policies by hash. Who asks is the certificate's word. */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../api/body.ts";
import { requireCaller, type ControlEnv } from "../api/caller.ts";
import { controllerPaths } from "../api/messages.ts";
import type { RatesAnswer, UpLine, UsesAnswer } from "../api/snapshot_messages.ts";
import { Refusal } from "../api/problem.ts";
import type { BudgetGrants, BudgetsRequest } from "../model/budget.ts";
import { isSharedCounter } from "../model/shared_counter.ts";
import { limits } from "../model/limits.ts";
import { serviceKey } from "../model/service.ts";
import { record } from "../config/record.ts";
import type { Catalog } from "./catalog.ts";
import type { Publisher } from "./publisher.ts";
import type { SliceAsk } from "../model/rate_slice.ts";
import { budgetStepsMax } from "../model/spending.ts";

export interface NodeRouteOptions {
  readonly trustDomain: string;
  readonly catalog: Catalog;
  readonly publisher: Publisher;
  /** Deals out slices, here or where it is led. */
  readonly rates: (node: string, asks: Readonly<Record<string, SliceAsk>>) => Promise<RatesAnswer["slices"]>;
  /** Grants tokens of budgets, here or where it is led. */
  readonly budgets: (node: string, asked: BudgetsRequest) => Promise<BudgetGrants>;
  /** Refuses while nothing is known yet. */
  readonly requireReady: () => void;
}

const text = v.string();
const usesSchema = v.pipe(v.array(v.pipe(text, v.maxLength(128))), v.maxLength(limits.usesMax));
const perSecond = v.pipe(v.number(), v.finite(), v.minValue(0));
const sequence = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Sums of them stay numbers, whatever machines say. */
const tokens = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
/** What a machine asks of budgets. */
export const budgetsFields = {
  part: v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(limits.shardsMax)),
  asks: v.pipe(
    v.record(
      v.pipe(text, v.maxLength(256)),
      v.strictObject({
        life: v.pipe(text, v.maxLength(64)),
        sequence,
        granted: tokens,
        spent: tokens,
        returned: tokens,
        ageMs: tokens,
        inHand: v.pipe(v.number(), v.finite()),
        wanted: v.pipe(v.array(tokens), v.maxLength(limits.budgetWantedMax)),
        pace: tokens,
        recent: v.exactOptional(v.pipe(v.array(v.tuple([tokens, tokens])), v.maxLength(budgetStepsMax))),
      }),
    ),
    v.maxEntries(limits.budgetKeysAskedMax),
  ),
};
const budgetsSchema = v.strictObject(budgetsFields);
export const ratesSchema = v.pipe(
  v.record(
    v.pipe(text, v.maxLength(128)),
    v.strictObject({ wantedPerSecond: perSecond, sequence, heldPerSecond: perSecond }),
  ),
  v.maxEntries(limits.servicesPerNodeMax + limits.policySharedKeysMax * limits.shardsMax),
);
const subscribeSchema = v.strictObject({ version: v.pipe(text, v.maxLength(64)), uses: usesSchema });
const replyFields = {
  version: v.pipe(text, v.maxLength(64)),
  error: v.nullable(v.pipe(text, v.maxLength(limits.snapshotProblemLengthMax))),
  certificates: v.pipe(
    v.array(
      v.strictObject({
        id: v.pipe(text, v.maxLength(limits.spiffeIdBytesMax)),
        notAfterMs: v.number(),
        issuedMs: v.number(),
      }),
    ),
    v.maxLength(limits.servicesPerNodeMax + 1),
  ),
  controllers: v.optional(
    v.pipe(
      v.array(v.strictObject({ host: v.pipe(text, v.maxLength(253)), port: v.number() })),
      v.maxLength(limits.controlAddressesMax + 1),
    ),
    [],
  ),
  // A newer proxy may say more of itself.
  about: v.optional(
    v.object({
      version: v.pipe(text, v.maxLength(128)),
      units: v.pipe(
        v.array(
          v.strictObject({
            service: v.pipe(text, v.maxLength(128)),
            port: v.number(),
            unit: v.pipe(text, v.maxLength(256)),
          }),
        ),
        v.maxLength(limits.instancesPerNodeMax),
      ),
      policies: v.exactOptional(
        v.object({
          apiOldest: v.number(),
          apiNewest: v.number(),
          hooks: v.pipe(v.array(v.pipe(text, v.maxLength(64))), v.maxLength(limits.policyHooksMax)),
        }),
      ),
      problems: v.exactOptional(
        v.pipe(
          v.array(v.pipe(text, v.maxLength(limits.instanceProblemLengthMax))),
          v.maxLength(limits.machineProblemsMax),
        ),
      ),
    }),
  ),
};
const replySchema = v.strictObject(replyFields);
/** A newer proxy may say more: a line that is not taken ends the stream, and the machine would read all of its snapshot anew. */
const replyLineSchema = v.object({ kind: v.literal("reply"), ...replyFields });

const ejectionsSchema = v.pipe(
  v.array(
    v.strictObject({
      service: v.pipe(text, v.maxLength(128)),
      endpoint: v.pipe(text, v.maxLength(256)),
      reason: v.picklist(["streak", "connect", "rate"]),
      probing: v.boolean(),
      probeInMs: v.pipe(v.number(), v.minValue(0)),
    }),
  ),
  v.maxLength(limits.ejectionsToldMax),
);
const traceId = v.pipe(text, v.regex(/^[0-9a-f]{32}$/, "a trace id"));
const keptSchema = v.pipe(
  record(v.pipe(text, v.maxLength(253)), v.pipe(v.array(traceId), v.maxLength(limits.keptTracesToldMax))),
  v.maxEntries(limits.keptMachinesMax),
);

export function mountNodeRoutes(app: Hono<ControlEnv>, options: NodeRouteOptions): void {
  const { trustDomain, catalog, publisher, requireReady } = options;
  app.post(controllerPaths.snapshots, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    requireReady();
    const patches = context.req.query("patches") !== undefined;
    const request = await readBody(context.req.raw, subscribeSchema);
    context.env.lines?.take((message) => {
      if ((message as Partial<UpLine> | null)?.kind !== "reply") return;
      const { kind: _, ...reply } = v.parse(replyLineSchema, message);
      requireMember(catalog, caller.name);
      publisher.replied(caller.name, reply);
    });
    return publisher.subscribe(caller.name, request, patches);
  });
  app.post(controllerPaths.reply, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    const reply = await readBody(context.req.raw, replySchema);
    requireMember(catalog, caller.name);
    publisher.replied(caller.name, reply);
    return context.json({});
  });
  app.put(controllerPaths.uses, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    const uses = await readBody(context.req.raw, usesSchema);
    requireMember(catalog, caller.name);
    requireReady();
    const missing = publisher.setUses(caller.name, uses);
    if (missing === null) throw new Refusal(503, "The documents that stand cannot be used now");
    return context.json({ missing } satisfies UsesAnswer);
  });
  app.put(controllerPaths.ejections, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    const ejected = await readBody(context.req.raw, ejectionsSchema);
    requireMember(catalog, caller.name);
    publisher.setEjected(caller.name, ejected);
    return context.json({});
  });
  mountShareRoutes(app, options);
  app.post(controllerPaths.kept, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    const kept = await readBody(context.req.raw, keptSchema);
    requireMember(catalog, caller.name);
    if (!publisher.mayTellKept(caller.name))
      throw new Refusal(429, `The machine ${caller.name} tells of kept traces too often (keptTracesTellMs)`);
    for (const [machine, traces] of Object.entries(kept)) publisher.tell(machine, { kind: "keep", traces });
    return context.json({});
  });
  app.get(controllerPaths.policy, (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    requireMember(catalog, caller.name);
    const hash = context.req.param("hash");
    const tried = [...catalog.policyTrials.values()].map((each) => each.policy);
    const policy = [...catalog.policies.values(), ...tried].find((each) => each.hash === hash);
    if (policy === undefined) throw new Refusal(404, `There is no policy bundle ${hash}`);
    return context.text(policy.text);
  });
}

/** What all machines of the mesh share: rates and budgets. */
function mountShareRoutes(
  app: Hono<ControlEnv>,
  { trustDomain, catalog, rates, budgets, requireReady }: NodeRouteOptions,
): void {
  app.post(controllerPaths.rates, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    const asks = await readBody(context.req.raw, ratesSchema);
    requireMember(catalog, caller.name);
    requireReady();
    const own = new Set(catalog.nodes.get(caller.name)?.services.map((service) => serviceKey(service)));
    const asked = Object.entries(asks).filter(([name]) => own.has(name) || isSharedCounter(name));
    const slices = await rates(caller.name, Object.fromEntries(asked));
    return context.json({ slices } satisfies RatesAnswer);
  });
  app.post(controllerPaths.budgets, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    const asked = await readBody(context.req.raw, budgetsSchema);
    requireMember(catalog, caller.name);
    requireReady();
    return context.json(await budgets(caller.name, asked));
  });
}

/** A certificate outlives the membership that it was issued for. */
export function requireMember(catalog: Catalog, name: string): void {
  const node = catalog.nodes.get(name);
  if (node === undefined || node.removed)
    throw new Refusal(403, `The machine ${name} is not part of this mesh`, "Join it again with a new token");
}
