/** Questions come from operators, answers from machines. */
import type { Hono } from "hono";
import { readBody } from "../api/body.ts";
import { requireCaller, type ControlEnv } from "../api/caller.ts";
import { controllerPaths } from "../api/messages.ts";
import { Refusal } from "../api/problem.ts";
import { askAnswerSchema, askSchema } from "../api/questions.ts";
import type { Asks } from "./asks.ts";
import type { Operators } from "./operators.ts";
import type { Peers } from "./peers.ts";

export interface AskRouteOptions {
  readonly trustDomain: string;
  readonly asks: Asks;
  readonly operators: Operators;
  readonly peers: Pick<Peers, "relay">;
}

export function mountAskRoutes(
  app: Hono<ControlEnv>,
  { trustDomain, asks, operators, peers }: AskRouteOptions,
): void {
  app.post(controllerPaths.ask, async (context) => {
    operators.require(context, "viewer");
    const request = await readBody(context.req.raw, askSchema);
    // How a machine is set up, and what it logged.
    if (request.question.what === "report") operators.require(context, "admin");
    return asks.ask(request);
  });
  app.post(controllerPaths.answers, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    const answer = await readBody(context.req.raw, askAnswerSchema);
    if (asks.answered(caller.name, answer)) return context.json({});
    // Asked by another controller, which this machine does not follow.
    if (!(await peers.relay(asks.ownerOf(answer.ask), { to: "asker", node: caller.name, answer })))
      throw new Refusal(404, `Nobody waits for an answer to ${answer.ask}`);
    return context.json({});
  });
}
