/** How the endpoints are that local services may call: for metrics, and for whoever looks at the admin page of a proxy. */
import type { BreakerState } from "../proxy/breaker/breaker.ts";
import type { LiveEndpoint } from "../proxy/state/live_service.ts";
import type { Endpoint } from "../model/snapshot.ts";
import type { ProxyState } from "../proxy/state/state.ts";

/** `unhealthy`: its probe fails. `drained`: an operator took it out. `ejected`: no request goes there. `probing`: one went there, to find out. */
export const endpointStates = ["ready", "ejected", "probing", "unhealthy", "drained"] as const;
export type EndpointState = (typeof endpointStates)[number];

const byBreaker: Readonly<Record<BreakerState, EndpointState>> = {
  closed: "ready",
  open: "ejected",
  "half-open": "probing",
};

export function endpointState({ endpoint, health }: LiveEndpoint): EndpointState {
  return endpoint.ready ? byBreaker[health.state] : stateOfUnready(endpoint);
}

/** Of one that gets no request, whatever its breaker says. */
export function stateOfUnready({ drained }: Pick<Endpoint, "drained">): EndpointState {
  return drained === true ? "drained" : "unhealthy";
}

/** An endpoint that circuit breaking has taken out. */
export interface Ejection {
  readonly service: string;
  /** Instance id. */
  readonly endpoint: string;
  readonly state: EndpointState;
  /** `streak`: hard failures in a row; `connect`: no connection; `rate`: too few successes. */
  readonly reason: string;
  /** How many ejections its penalty has grown by. */
  readonly ejections: number;
  /** Milliseconds until a request may probe it; 0: the next one may. */
  readonly probeInMs: number;
}

/** Of the endpoints that are ready, those that requests opened a breaker of. */
export function ejectionsOf(state: ProxyState | null, nowMs: number): Ejection[] {
  return [...(state?.destinations.values() ?? [])].flatMap(({ key, breakers, endpoints }) =>
    // Nearly always nothing is out, and a service may have thousands of endpoints.
    [...(breakers.ejected === 0 ? [] : endpoints.values())]
      .filter(({ health }) => health.ejected)
      .map((each) => ({
        service: key,
        endpoint: each.id,
        state: endpointState(each),
        reason: each.health.reason ?? "",
        ejections: each.health.ejections,
        probeInMs: Math.max(0, Math.round(each.health.nextProbeMs - nowMs)),
      })),
  );
}
