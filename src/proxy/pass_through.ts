/**
 * Connections of intercepted units to what is not in the mesh: passed on as they are, byte by byte, and counted by where they go; or
 * refused, where the mesh says that nothing undeclared may leave it, where it is not known yet what it says and the unit is strict, or
 * where its service has too many of them.
 */
import type { OriginalDestination, Socket, SocketHandler } from "../../runtime/contract.ts";
import { addressText } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { outcomes } from "./failure/outcomes.ts";
import { decideAccess } from "./guard/access.ts";
import { PassedConnection } from "./passed_connection.ts";
import type { ProxyState } from "./state/state.ts";
import type { OutboundSource } from "./state/outbound_source.ts";

/** What records call everything outside of the mesh: no key of a service, which has a dot. */
const outside = "external";

/** What holds for a machine's connections of that kind. */
export interface PassingRules {
  /** By key of the calling service, "" for nobody: how many it has. */
  readonly open: Map<string, number>;
  /** Nothing of that service may leave the mesh before it is known what the mesh says. */
  isStrict(service: string): boolean;
}

export function passThrough(
  socket: Socket,
  called: OriginalDestination,
  source: OutboundSource,
  rules: PassingRules,
): SocketHandler {
  const { recorder } = source.parts;
  const count = (more: 1 | -1): void => countAt(rules.open, source.key, more);
  const began = (): void => count(1);
  const over = (): void => count(-1);
  const refusal = refusalOf(called, source, rules);
  recorder.outside(source.key, addressText(called), refusal === null ? "passed" : "refused");
  return new PassedConnection(socket, source, { to: called, as: outside, began, over }).begin(refusal);
}

function countAt(open: Map<string, number>, key: string, more: 1 | -1): void {
  const count = (open.get(key) ?? 0) + more;
  if (count > 0) open.set(key, count);
  else open.delete(key);
}

/** null: it may pass. */
function refusalOf(called: OriginalDestination, source: OutboundSource, rules: PassingRules): Outcome | null {
  const { state, recorder } = source.parts;
  const { key } = source;
  const endpoint = addressText(called);
  if (state === null && rules.isStrict(key)) return outcomes.egressUnknown(endpoint);
  const isClosed = state?.snapshot.egress === "declared";
  if (isClosed && !isDeclared(state, source, called)) return outcomes.undeclared(endpoint);
  if ((rules.open.get(key) ?? 0) < limits.passedThroughMax) return null;
  recorder.limitTripped("passedThroughMax", `outbound ${key}`);
  return outcomes.passesTooMany(endpoint);
}

/** A document says so of that address and port, and its rules let that service connect. */
function isDeclared(
  state: ProxyState | null,
  source: OutboundSource,
  { host, port }: OriginalDestination,
): boolean {
  if (state === null) return false;
  const { spiffeId = "" } = source.callerIn(state) ?? {};
  for (const { declared } of state.destinations.values()) {
    const { external, externalAccess, endpoints } = declared;
    if (external === undefined || externalAccess === undefined) continue;
    if (!endpoints.some((each) => each.address === host && each.port === port)) continue;
    if (decideAccess(externalAccess, spiffeId, "", "").verdict !== "deny") return true;
  }
  return false;
}
