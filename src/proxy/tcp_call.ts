/** Where an opaque connection is meant to go: the whole service, or what a TLS route says. */
import type { Random } from "../../runtime/contract.ts";
import type { Outcome } from "../model/outcome.ts";
import type { LiveDestination, Target } from "./live_service.ts";
import { outcomes } from "./outcomes.ts";
import { chooseBackend } from "./route/choose_backend.ts";
import { matchServerName } from "./route/match_server_name.ts";

export interface TcpCall {
  /** The service that was meant. */
  readonly destination: LiveDestination;
  readonly target: Target;
  /** Name of the route that chose the target; "" for none. */
  readonly route: string;
  /** What the bytes are, as far as it was declared or seen: `tcp`, `tls`. */
  readonly protocol: "tcp" | "tls";
  /** What told that, where no document does; else "". */
  readonly detectedBy: string;
}

export function wholeCall(
  destination: LiveDestination,
  protocol: TcpCall["protocol"],
  detectedBy = "",
): TcpCall {
  const target = { destination, balancer: destination.whole };
  return { destination, target, route: "", protocol, detectedBy };
}

/** `serverName` is what the client asked for; "" when nothing. An outcome says why it leads nowhere. */
export function tlsCall(destination: LiveDestination, serverName: string, random: Random): TcpCall | Outcome {
  if (destination.tlsRoutes.length === 0) return wholeCall(destination, "tls");
  const route = matchServerName(destination.tlsRoutes, serverName);
  if (route === null) return outcomes.noServerName(destination.key, serverName);
  const { backends, totalWeight, name } = route;
  const target = chooseBackend(backends, totalWeight, random.unit())?.target ?? "no backend has any weight";
  if (typeof target === "string") return outcomes.badBackend(name, target);
  return { destination, target, route: name, protocol: "tls", detectedBy: "" };
}
