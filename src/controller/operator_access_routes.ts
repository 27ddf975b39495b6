/** The paths of operators themselves: who they are, new ones, and the renewal of their certificates by their keys. */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../api/body.ts";
import type { ControlEnv } from "../api/caller.ts";
import { controllerPaths } from "../api/messages.ts";
import { isName } from "../identity/spiffe_id.ts";
import type { Issuing } from "./issue/issuing.ts";
import type { Operators } from "./operators.ts";

const short = v.pipe(v.string(), v.maxLength(512));
const name = v.pipe(v.string(), v.check(isName, "expected lower-case letters, digits and inner hyphens"));
const proof = { name, nonce: short, publicKey: short, signature: short };
const renewSchema = v.strictObject(proof);
const createSchema = v.strictObject({ ...proof, role: v.picklist(["viewer", "editor", "admin"]) });

export function mountOperatorAccessRoutes(
  app: Hono<ControlEnv>,
  { operators, issuing }: { readonly operators: Operators; readonly issuing: Issuing },
): void {
  const { log } = issuing.options;
  const path = controllerPaths.operators;
  app.get(path, (context) => {
    operators.require(context, "viewer");
    return context.json(operators.list());
  });
  app.post(path, async (context) => {
    const by = operators.require(context, "admin");
    const request = await readBody(context.req.raw, createSchema);
    issuing.takeOperatorProof(request);
    const made = await operators.create(request.name, request.role, request.publicKey);
    log(`${by.name} made the operator ${request.name}, who is ${request.role}`);
    return context.json(made);
  });
  app.post(`${path}/renew`, async (context) => {
    const request = await readBody(context.req.raw, renewSchema);
    const { remoteAddress } = context.env.caller;
    const answer = await issuing.watch(`renew the operator ${request.name}`, remoteAddress, async () => {
      issuing.takeOperatorProof(request);
      return await operators.renew(request);
    });
    return context.json(answer);
  });
  app.post(`${path}/:name/revoke`, async (context) => {
    const by = operators.require(context, "admin");
    const gone = context.req.param("name");
    await operators.revoke(gone);
    log(`${by.name} revoked the operator ${gone}`);
    return context.json({});
  });
}
