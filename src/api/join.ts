/**
 * The client side of joining. First connection: nothing is believed and nothing is sent but a request for the root, whose
 * public key must have the pin that the token carries. Second connection: verified against that root, and only now the token.
 */
import { addressText, type Address } from "../base/socket_address.ts";
import { X509Certificate } from "node:crypto";
import type { Runtime } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { humanDuration } from "../base/duration.ts";
import { limits } from "../model/limits.ts";
import { ControlUnreachable } from "./control.ts";
import { createControlClient } from "./control_client.ts";
import { Shard } from "../http/shard.ts";
import { pinOf, prove, type KeyPair } from "../identity/keys.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import {
  controllerPaths,
  type JoinAnswer,
  type JoinNonce,
  type JoinRequest,
  type JoinRoot,
} from "./messages.ts";

export interface JoinKeys {
  readonly node: KeyPair;
  /** By service key. */
  readonly services: ReadonlyMap<string, KeyPair>;
}

export interface JoinCall {
  /** Where the controller may be, as preferred. */
  readonly controllers: readonly Address[];
  readonly token: string;
  readonly node: string;
  readonly keys: JoinKeys;
  readonly services: readonly ServiceName[];
  readonly address: string | null;
  readonly port: number;
}

type JoinHost = Pick<Runtime, "net" | "clock">;

export async function joinWithToken(host: JoinHost, call: JoinCall): Promise<JoinAnswer> {
  const pin = pinIn(call.token);
  const root = await fetchRoot(host, call, pin);
  const { rootPem, trustDomain } = root;
  const { net, clock } = host;
  const client = createControlClient({
    net,
    clock,
    shard: new Shard(clock),
    servers: call.controllers,
    identity: () => ({ credential: null, rootsPem: [rootPem] }),
    expect: (id) => principalOf(id, trustDomain)?.kind === "controller",
    serverName: "controller.heddle",
  });
  try {
    const { nonce } = (await client.call("POST", controllerPaths.nonce, {})).body as JoinNonce;
    return (await client.call("POST", controllerPaths.join, requestOf(call, nonce))).body as JoinAnswer;
  } catch (error) {
    if (error instanceof ControlUnreachable && error.reason.kind === "tls") requireClock(host, root);
    throw error;
  } finally {
    client.close();
  }
}

/** Certificates that are not valid here are so mostly because of a clock. */
function requireClock({ clock }: JoinHost, { controllerMs }: JoinRoot): void {
  const aheadMs = controllerMs === undefined ? 0 : clock.wallMs() - controllerMs;
  if (Math.abs(aheadMs) <= limits.clockSkewWarnMs) return;
  throw new UserError(
    `Cannot join: this clock is ${humanDuration(aheadMs)} ${aheadMs > 0 ? "ahead of" : "behind"} the controller's, so its certificate is not valid here`,
    "Turn time synchronisation on, here or there (systemd-timesyncd or chrony), then join with the same token",
  );
}

function pinIn(token: string): string {
  const parts = token.split(".");
  if (parts.length !== 4 || parts[0] !== "hd1" || !/^[A-Za-z0-9_-]{43}$/.test(parts[3] ?? "")) {
    throw new UserError(
      "Cannot join with this token: expected hd1.<id>.<secret>.<pin>, as heddle token create prints it",
    );
  }
  return parts[3] as string;
}

/** The root that the endpoint offers, if it has the pin. */
async function fetchRoot(host: JoinHost, call: JoinCall, pin: string): Promise<JoinRoot> {
  const { net, clock } = host;
  const client = createControlClient({
    net,
    clock,
    shard: new Shard(clock),
    servers: call.controllers,
    identity: () => ({ credential: null, rootsPem: [] }),
    expect: () => true,
    serverName: "controller.heddle",
    unverified: true,
  });
  try {
    const { body } = await client.call("GET", controllerPaths.root);
    if (isRoot(body) && pinOf(body.rootPem) === pin) return body;
  } finally {
    client.close();
  }
  throw new UserError(
    `Cannot join: ${call.controllers.map(addressText).join(" or ")} is not the mesh that this token is for`,
    "Its root certificate has another public key. Check the address; if it is right, somebody is in between",
    1,
  );
}

function isRoot(body: unknown): body is JoinRoot {
  const { rootPem, trustDomain } = (body ?? {}) as Partial<JoinRoot>;
  if (typeof rootPem !== "string" || typeof trustDomain !== "string") return false;
  try {
    return new X509Certificate(rootPem).ca;
  } catch {
    return false;
  }
}

function requestOf(call: JoinCall, nonce: string): JoinRequest {
  const { node, keys } = call;
  return {
    token: call.token,
    node,
    nonce,
    publicKey: keys.node.publicKey,
    signature: prove(keys.node.privatePem, `heddle-join:${nonce}:${node}`),
    services: call.services.map((service) => {
      const key = keys.services.get(serviceKey(service)) as KeyPair;
      return {
        service,
        publicKey: key.publicKey,
        signature: prove(key.privatePem, `heddle-svid:${nonce}:${serviceKey(service)}`),
      };
    }),
    address: call.address,
    port: call.port,
  };
}
