/** A service without routes: all that is for it goes to its instances. */
import { success } from "../../base/result.ts";
import type { PolicyBinding } from "../../model/snapshot.ts";
import { anyRequest } from "../route/match_route.ts";
import { RouteTable } from "../route/route_table.ts";
import type { LiveDestination, LiveRoute } from "./live_service.ts";

/** While none is attached yet. */
export const noRoutes = new RouteTable<LiveRoute>([]);

/** The route of a service that has none: everything goes to the service itself. */
export function unrouted(destination: LiveDestination, policies: readonly PolicyBinding[]): LiveRoute {
  return {
    name: "",
    matcher: anyRequest,
    backends: [
      {
        weight: 1,
        target: success({ destination, balancer: destination.whole, rules: destination.rules }),
        filters: null,
      },
    ],
    totalWeight: 1,
    requestTimeoutMs: destination.timeouts.requestMs,
    idempotent: false,
    policies,
    sessions: destination.sessions,
    mirrors: null,
  };
}
