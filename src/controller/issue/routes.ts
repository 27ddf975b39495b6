/** The paths of joining, renewing, tokens and machines. Joining alone works without a certificate. */
import { addressText, type Address } from "../../base/socket_address.ts";
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../../api/body.ts";
import { requireCaller, type ControlEnv } from "../../api/caller.ts";
import { controllerPaths, type JoinNonce, type JoinRoot, type TokenAnswer } from "../../api/messages.ts";
import { pageQueryIn } from "../../api/pages.ts";
import { isName } from "../../identity/spiffe_id.ts";
import { writeBundle } from "../../identity/trust_bundle.ts";
import { limits } from "../../model/limits.ts";
import { defaultNamespace, serviceKey, type ServiceName } from "../../model/service.ts";
import { Refusal } from "../../api/problem.ts";
import type { Operators } from "../operators.ts";
import type { Issuing } from "./issuing.ts";

const name = v.pipe(v.string(), v.check(isName, "expected lower-case letters, digits and inner hyphens"));
const short = v.pipe(v.string(), v.maxLength(512));
const serviceName = v.strictObject({ name, namespace: name });
const proofs = v.pipe(
  v.array(v.strictObject({ service: serviceName, publicKey: short, signature: short })),
  v.maxLength(limits.servicesPerNodeMax),
);
const renewal = { nonce: short, node: name, publicKey: short, signature: short, services: proofs };
const renewSchema = v.strictObject(renewal);
/** An IP address or a host name. */
const address = v.pipe(v.string(), v.regex(/^[A-Za-z0-9.:_-]{1,253}$/, "expected an address"));
const portNumber = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));
const joinSchema = v.strictObject({
  ...renewal,
  token: short,
  address: v.nullable(address),
  port: portNumber,
});
const tokenSchema = v.strictObject({
  /** Of the services: those that are gateways. */
  gateways: v.exactOptional(v.pipe(v.array(serviceName), v.maxLength(limits.servicesPerNodeMax)), []),
  services: v.nullable(v.pipe(v.array(serviceName), v.minLength(1), v.maxLength(limits.servicesPerNodeMax))),
  control: v.optional(v.boolean(), false),
  ttlMs: v.pipe(
    v.number(),
    v.minValue(limits.joinTokenMinMs),
    v.maxValue(limits.joinTokenMaxMs, `expected at most ${limits.joinTokenMaxMs / 60_000} minutes`),
  ),
});

export interface IssueRouteOptions {
  readonly issuing: Issuing;
  readonly operators: Operators;
  readonly trustDomain: string;
  /** How other machines reach this controller, for the join line. */
  readonly controllers: () => readonly Address[];
  /** The machine that the controller runs on. */
  readonly ownNode: string;
}

export function mountIssueRoutes(app: Hono<ControlEnv>, options: IssueRouteOptions): void {
  const { issuing, trustDomain } = options;
  const { authority } = issuing.options;
  app.get(controllerPaths.root, (context) => {
    const controllerMs = issuing.options.clock.wallMs();
    return context.json({ rootPem: authority.rootPem, trustDomain, controllerMs } satisfies JoinRoot);
  });
  app.get(controllerPaths.bundle, (context) =>
    context.json(writeBundle(authority.bundle, limits.bundleRefreshMs)),
  );
  app.post(controllerPaths.nonce, (context) => context.json({ nonce: issuing.nonce() } satisfies JoinNonce));
  app.post(controllerPaths.join, async (context) => {
    const request = await readBody(context.req.raw, joinSchema);
    return context.json(await issuing.join(request, context.env.caller.remoteAddress));
  });
  app.post(controllerPaths.renew, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    return context.json(await issuing.renew(await readBody(context.req.raw, renewSchema), caller.name));
  });
  app.post(controllerPaths.reattest, async (context) => {
    const request = await readBody(context.req.raw, renewSchema);
    return context.json(await issuing.reattest(request, context.env.caller.remoteAddress));
  });
  app.post(controllerPaths.reach, async (context) => {
    const caller = requireCaller(context, trustDomain, "node");
    const where = await readBody(context.req.raw, v.strictObject({ address, port: portNumber }));
    const { remoteAddress } = context.env.caller;
    const answer = await issuing.reach(caller.name, remoteAddress, where);
    return context.json({ ...answer, controllerMs: issuing.options.clock.wallMs() });
  });
  mountMemberRoutes(app, options);
}

/** How a machine says that it is these. */
function flagsOf(services: readonly ServiceName[], gateways: readonly ServiceName[]): string {
  const keys = new Set(gateways.map(serviceKey));
  const [only, ...others] = services.filter((each) => !keys.has(serviceKey(each)));
  if (others.length > 0 || (only === undefined && keys.size === 0)) return " --machine machine.yaml";
  const service = only === undefined ? "" : ` --service ${shortName(only)} --port PORT`;
  return service + gateways.map((each) => ` --gateway ${shortName(each)}`).join("");
}

/** Who may be part of the mesh: tokens and machines, by operators. */
function mountMemberRoutes(app: Hono<ControlEnv>, options: IssueRouteOptions): void {
  const { issuing, operators } = options;
  const { authority, log } = issuing.options;
  app.post(controllerPaths.tokens, async (context) => {
    const operator = operators.require(context, "admin");
    const { services, gateways, ttlMs, control } = await readBody(context.req.raw, tokenSchema);
    const { token, expiresMs } = await issuing.tokens.create(services, ttlMs, authority.pin, control);
    const plane = control ? " and the control plane" : "";
    const names = services === null ? "any service" : services.map(serviceKey).join(", ");
    log(`${operator.name} made the token ${token.split(".")[1]} for ${names}${plane}`);
    const flags = control ? " --control-plane" : flagsOf(services ?? [], gateways);
    return context.json({
      token,
      expiresMs,
      joinLine: `heddle join ${options.controllers().map(addressText).join(",")} ${token}${flags}`,
    } satisfies TokenAnswer);
  });
  app.get(controllerPaths.tokens, async (context) => {
    operators.require(context, "viewer");
    return context.json(await issuing.tokens.list());
  });
  app.post(`${controllerPaths.tokens}/:id/revoke`, async (context) => {
    const operator = operators.require(context, "admin");
    const id = context.req.param("id");
    await issuing.tokens.revoke(id);
    log(`${operator.name} revoked the token ${id}`);
    return context.json({});
  });
  app.get(controllerPaths.nodes, async (context) => {
    operators.require(context, "viewer");
    return context.json(await issuing.nodes.list(pageQueryIn((name) => context.req.query(name))));
  });
  app.post(`${controllerPaths.nodes}/:name/allow`, async (context) => {
    const operator = operators.require(context, "admin");
    const { service } = await readBody(context.req.raw, v.strictObject({ service: serviceName }));
    const node = context.req.param("name");
    await issuing.nodes.allow(node, service);
    log(`${operator.name} allowed ${node} to be ${serviceKey(service)}`);
    return context.json({});
  });
  app.post(`${controllerPaths.nodes}/:name/control`, async (context) => {
    const operator = operators.require(context, "admin");
    const node = context.req.param("name");
    await issuing.nodes.allowControl(node);
    log(`${operator.name} allowed ${node} to be part of the control plane`);
    return context.json({});
  });
  app.post(`${controllerPaths.nodes}/:name/remove`, async (context) => {
    const operator = operators.require(context, "admin");
    const node = context.req.param("name");
    const { force } = await readBody(
      context.req.raw,
      v.strictObject({ force: v.optional(v.boolean(), false) }),
    );
    if (node === options.ownNode && !force) throw ownMachine(node);
    await issuing.nodes.remove(node);
    log(`${operator.name} removed ${node}`);
    return context.json({});
  });
}

/** Nothing of it works without the others: its services are cut off, and the mesh has no second controller. */
function ownMachine(node: string): Refusal {
  return new Refusal(
    409,
    `The controller runs on ${node}: its services would be cut off from the mesh`,
    `If that is meant: heddle node remove ${node} --yes; heddle token create and heddle join bring it back`,
  );
}

/** As people write it: without the default namespace. */
function shortName(service: ServiceName): string {
  return service.namespace === defaultNamespace ? service.name : serviceKey(service);
}
