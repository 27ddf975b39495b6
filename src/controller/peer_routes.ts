/** What other controllers of the mesh ask of this one. */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../api/body.ts";
import { requireCaller, type ControlEnv } from "../api/caller.ts";
import { controllerPaths } from "../api/messages.ts";
import type { PeerRatesAnswer } from "../api/peer_messages.ts";
import { Refusal } from "../api/problem.ts";
import { askAnswerSchema } from "../api/questions.ts";
import type { SnapshotLine } from "../api/snapshot_messages.ts";
import type { Asks } from "./asks.ts";
import { budgetsFields, ratesSchema } from "./node_routes.ts";
import type { PeerNodes } from "./peer_nodes.ts";
import type { Peers } from "./peers.ts";
import type { Publisher } from "./publisher.ts";
import type { SharedBudgets } from "./budgets/shared_budgets.ts";
import type { SharedRates } from "./shared_rates.ts";

export interface PeerRouteOptions {
  readonly trustDomain: string;
  readonly peers: Peers;
  readonly nodes: PeerNodes;
  readonly publisher: Publisher;
  readonly asks: Asks;
  readonly rates: () => SharedRates;
  readonly budgets: () => SharedBudgets;
}

const word = v.pipe(v.string(), v.maxLength(253));
const relaySchema = v.variant("to", [
  // Another controller of the mesh made it: it is what this one would say.
  v.strictObject({
    to: v.literal("machine"),
    node: word,
    line: v.looseObject({ kind: v.picklist(["ask", "cancel", "keep"]) }),
  }),
  v.strictObject({ to: v.literal("asker"), node: word, answer: askAnswerSchema }),
]);
const peerRatesSchema = v.strictObject({
  since: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  node: word,
  asks: ratesSchema,
});

const peerBudgetsSchema = v.strictObject({
  since: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  node: word,
  ...budgetsFields,
});

export function mountPeerRoutes(app: Hono<ControlEnv>, options: PeerRouteOptions): void {
  const { trustDomain, peers, nodes, publisher, asks, rates, budgets } = options;
  app.get(controllerPaths.peerNodes, (context) => {
    requireCaller(context, trustDomain, "controller");
    return nodes.begin();
  });
  app.post(controllerPaths.peerRelay, async (context) => {
    requireCaller(context, trustDomain, "controller");
    const relayed = await readBody(context.req.raw, relaySchema);
    const taken =
      relayed.to === "machine"
        ? publisher.tellHere(relayed.node, relayed.line as unknown as SnapshotLine)
        : asks.answered(relayed.node, relayed.answer);
    if (!taken) throw new Refusal(404, `Nobody here takes this of ${relayed.node}`);
    return context.json({});
  });
  app.post(controllerPaths.peerBudgets, async (context) => {
    requireCaller(context, trustDomain, "controller");
    const { since, node, part, asks: asked } = await readBody(context.req.raw, peerBudgetsSchema);
    if (peers.leadsSince !== since) throw new Refusal(503, "Another controller leads");
    return context.json(budgets().ask(node, { part, asks: asked }));
  });
  app.post(controllerPaths.peerRates, async (context) => {
    requireCaller(context, trustDomain, "controller");
    const { since, node, asks: asked } = await readBody(context.req.raw, peerRatesSchema);
    if (peers.leadsSince !== since) throw new Refusal(503, "Another controller leads");
    return context.json({ slices: rates().ask(node, asked) } satisfies PeerRatesAnswer);
  });
}
