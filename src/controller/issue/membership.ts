/** Who may be what: the rules of joining, renewing and coming back, as functions of what the registry holds. */
import type { JoinRequest, RenewRequest } from "../../api/messages.ts";
import { Refusal } from "../../api/problem.ts";
import { limits } from "../../model/limits.ts";
import { serviceKey, type Node, type ServiceName } from "../../model/service.ts";
import { mergeServices, type FoundNode } from "./nodes.ts";
import type { GoodToken } from "./tokens.ts";

/** The services that a token gives to the machine; refuses a request for one that it does not name. */
export function grantedBy(token: GoodToken, request: JoinRequest): readonly ServiceName[] {
  const asked = request.services.map((each) => each.service);
  const granted = token.services ?? asked;
  const names = granted.map(serviceKey);
  const foreign = asked.map(serviceKey).find((key) => !names.includes(key));
  if (foreign === undefined) return granted;
  throw new Refusal(403, `This token does not allow the service ${foreign}, only ${names.join(", ")}`);
}

/** The member that a join makes. A name belongs to the key that joined with it, until the machine is removed. */
export function joined(
  { node }: FoundNode,
  request: JoinRequest,
  granted: Pick<GoodToken, "control"> & { readonly granted: readonly ServiceName[] },
  nowMs: number,
): Node {
  const standing = node === null || node.removed ? null : node;
  if (standing !== null && standing.publicKey !== request.publicKey)
    throw new Refusal(
      409,
      `There is already a machine named ${request.node}, with another key`,
      "Choose another name with --node, or remove that machine first: heddle node remove",
    );
  return {
    name: request.node,
    services: mergeServices(standing?.services ?? [], granted.granted),
    publicKey: request.publicKey,
    joinedMs: nowMs,
    removed: false,
    ...(granted.control || standing?.control === true ? { control: true } : {}),
    ...(request.address === null ? {} : { address: request.address }),
  };
}

/** Refuses who is no member, or shows another key than the member's. */
export function requireMember({ node }: FoundNode, request: RenewRequest): Node {
  const name = request.node;
  if (node === null || node.removed)
    throw new Refusal(403, `The machine ${name} is not part of this mesh`, "Join it again with a new token");
  if (node.publicKey !== request.publicKey)
    throw new Refusal(403, `This is not the key that ${name} joined with`);
  return node;
}

/** Refuses a key that was away for longer than a member may be: the machine may have changed hands. */
export function requireInTime(node: Node, { certificates }: FoundNode, nowMs: number): void {
  const lastEndsMs = Math.max(certificates.lastEndsMs, node.joinedMs);
  if (nowMs <= lastEndsMs + limits.nodeGraceMs) return;
  throw new Refusal(
    403,
    `The certificates of ${node.name} ended more than ${limits.nodeGraceMs / 86_400_000} days ago`,
    "Join it again with a new token, in a new state folder",
  );
}
