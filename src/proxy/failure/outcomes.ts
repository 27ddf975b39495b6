/** What heddle itself finds wrong with a call, in words. */
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { priorities, type PriorityLevel } from "../../model/priority.ts";
import type { LiveDestination } from "../state/live_service.ts";

/** What a budget of retries goes by. */
interface RetryBudgetSaid {
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly windowMs: number;
}

export const outcomes = {
  noSnapshot(): Outcome {
    const detail = "this proxy has not been told its configuration yet";
    return { flag: "NC", side: "mesh", repeat: "no", status: 503, detail };
  },

  noIdentity(service: string): Outcome {
    const detail = `this machine may not act as ${service}`;
    return { flag: "ID", side: "mesh", repeat: "no", status: 503, detail };
  },

  /** Nothing says who called at this listener of the machine. */
  noCaller(host: string): Outcome {
    return outcomes.refusedCaller(`who called at ${host} cannot be told`);
  },

  /** `why`: in words, with what to do. */
  refusedCaller(why: string): Outcome {
    return { flag: "ID", side: "downstream", repeat: "no", status: 403, detail: why };
  },

  nothingAt(host: string, port: number): Outcome {
    const detail = `no service of the mesh has port ${port} at ${host}`;
    return { flag: "NC", side: "downstream", repeat: "no", status: 404, detail };
  },

  undeclared(address: string): Outcome {
    const detail = `${address} is not in the mesh, which lets nothing else be called (egress: declared in its Mesh document)`;
    return { flag: "NC", side: "downstream", repeat: "no", status: 403, detail };
  },

  egressUnknown(address: string): Outcome {
    const detail = `${address} is not in the mesh, the unit that calls it is strict, and this proxy has no snapshot yet that says whether that may be called`;
    return { flag: "NC", side: "mesh", repeat: "no", status: 503, detail };
  },

  passesTooMany(address: string): Outcome {
    const detail = `${address} is not in the mesh, and ${limits.passedThroughMax} connections of its caller pass to what is not already`;
    return { flag: "UO", side: "downstream", repeat: "no", status: 503, detail };
  },

  noName(authority: string): Outcome {
    const detail = `"${authority}" is no name of a service: names look like orders.mesh or orders.shop.mesh`;
    return { flag: "NC", side: "downstream", repeat: "no", status: 404, detail };
  },

  noService(key: string): Outcome {
    const detail = `there is no service ${key}`;
    return { flag: "NC", side: "downstream", repeat: "no", status: 404, detail };
  },

  notTold(key: string): Outcome {
    const detail = `the controller did not say within ${limits.discoverMs} ms whether there is a service ${key}`;
    return { flag: "NC", side: "mesh", repeat: "no", status: 503, detail };
  },

  crowdedOut(key: string): Outcome {
    const detail = `too many names are asked for that no service is known by, ${key} among them`;
    return { flag: "UO", side: "mesh", repeat: "no", status: 503, detail };
  },

  /** Made on purpose. `grpc`: what callers of gRPC get of it. */
  fault(route: string, status: number, grpc: number | undefined): Outcome {
    const detail = `the route ${route} answers a part of its requests so on purpose (fault.abort)`;
    const outcome: Outcome = { flag: "FI", side: "mesh", repeat: "no", status, detail };
    return grpc === undefined ? outcome : { ...outcome, grpc };
  },

  notHttp(destination: LiveDestination): Outcome {
    const detail = `${destination.key} speaks ${destination.declared.protocol}, not HTTP: reach it by a port of its own`;
    return { flag: "DPE", side: "downstream", repeat: "no", status: 421, detail };
  },

  noConnect(destination: LiveDestination): Outcome {
    const detail = `${destination.key} speaks ${destination.declared.protocol}: CONNECT leads to opaque services only`;
    return { flag: "DPE", side: "downstream", repeat: "no", status: 405, detail };
  },

  /** No TLS can be made to a service outside of the mesh. */
  noTls(key: string, problem: string): Outcome {
    const detail = `${key} cannot be reached by TLS: ${problem}`;
    return { flag: "ID", side: "mesh", repeat: "no", status: 503, detail };
  },

  /** CONNECT, from outside of the mesh. */
  noTunnelHere(listener: string): Outcome {
    const detail = `${listener} makes no tunnels (CONNECT)`;
    return { flag: "DPE", side: "downstream", repeat: "no", status: 405, detail };
  },

  /** RFC 9110 section 15.5.20. */
  misdirected(listener: string, host: string): Outcome {
    const detail = `requests for ${host} come in by another connection than this one of ${listener}`;
    return { flag: "DPE", side: "downstream", repeat: "no", status: 421, detail };
  },

  noHostHere(listener: string, host: string): Outcome {
    const detail = `${listener} is not for ${host}`;
    return { flag: "NR", side: "downstream", repeat: "no", status: 404, detail };
  },

  noUpgrade(key: string, protocol: string): Outcome {
    const detail = `${key} takes no upgrade to ${protocol}: its Service document names none such (upgrades)`;
    return { flag: "DPE", side: "downstream", repeat: "no", status: 501, detail };
  },

  escapedSlash(key: string): Outcome {
    const detail = `${key} takes no path like this one, which has an escaped slash (%2F), // or a path parameter (;)`;
    return { flag: "DPE", side: "downstream", repeat: "no", status: 400, detail };
  },

  noTrace(): Outcome {
    const detail = "TRACE is not answered: it would show what is added on the way";
    return { flag: "DPE", side: "downstream", repeat: "no", status: 405, detail };
  },

  badMaxForwards(): Outcome {
    const detail = "Max-Forwards is not a number of hops";
    return { flag: "DPE", side: "downstream", repeat: "no", status: 400, detail };
  },

  noTunnel(key: string, status: number): Outcome {
    const detail = `${key} answered ${status} instead of opening a connection`;
    return { flag: "UPE", side: "upstream", repeat: "no", status: 502, detail };
  },

  noServerName(key: string, serverName: string): Outcome {
    const asked = serverName === "" ? "no server name" : `"${serverName}"`;
    const detail = `no TLS route of ${key} fits ${asked}`;
    return { flag: "NR", side: "downstream", repeat: "no", status: 404, detail };
  },

  /** The service moved away meanwhile. */
  notHere(serverName: string): Outcome {
    const detail = `${serverName} does not run on this machine any more`;
    return { flag: "NC", side: "mesh", repeat: "yes", status: 503, detail };
  },

  noRoute(key: string, method: string, path: string): Outcome {
    const detail = `no route of ${key} matches ${method} ${path}`;
    return { flag: "NR", side: "downstream", repeat: "no", status: 404, detail };
  },

  badBackend(route: string, reason: string): Outcome {
    const detail = `the route ${route} leads to a backend that is not valid: ${reason}`;
    return { flag: "NC", side: "mesh", repeat: "no", status: 500, detail };
  },

  /** Its reason is in the record, not here: it is not for the caller. */
  /** `call`: method and path. */
  denied(caller: string, call: string, key: string, rule: string): Outcome {
    const by = rule === "default" ? "no access rule allows it" : `the access rule ${rule} denies it`;
    const detail = `${caller} may not ${call} of ${key}: ${by}`;
    return { flag: "AD", side: "downstream", repeat: "no", status: 403, detail };
  },

  opaqueHere(key: string, protocol: string): Outcome {
    const detail = `${key} speaks ${protocol}, not HTTP`;
    return { flag: "DPE", side: "downstream", repeat: "no", status: 421, detail };
  },

  policyDenied(policy: string, key: string, status: number): Outcome {
    const detail = `the policy "${policy}" of ${key} answered ${status}`;
    return { flag: "PD", side: "policy", repeat: "no", status, detail };
  },

  /** What it chose is in the record. */
  badChoice(policy: string, key: string): Outcome {
    const detail = `the policy "${policy}" of ${key} chose a service or subset that is not known here`;
    return { flag: "PE", side: "policy", repeat: "no", status: 500, detail };
  },

  badPath(key: string): Outcome {
    const detail = `a policy or a route of ${key} wrote a path with an escaped slash (%2F), which the service it leads to does not take`;
    return { flag: "PE", side: "policy", repeat: "no", status: 500, detail };
  },

  noEndpoint(destination: LiveDestination): Outcome {
    const known = destination.endpoints.size;
    const which = known === 0 ? "it has no instance" : `none of its ${known} instances fits and is ready`;
    const detail = `${destination.key} cannot be reached: ${which}`;
    return { flag: "UH", side: "upstream", repeat: "no", status: 503, detail };
  },

  timeout(key: string, timeoutMs: number): Outcome {
    const detail = `${key} did not finish its answer within ${timeoutMs} ms (timeouts.request of its HTTPRoute or Traffic)`;
    return { flag: "UT", side: "upstream", repeat: "no", status: 504, detail };
  },

  /** The caller's own time, which it said, is over. */
  deadlinePassed(key: string, timeoutMs: number): Outcome {
    const detail = `the caller gave ${key} ${timeoutMs} ms (grpc-timeout or x-request-deadline), and they are over`;
    return { flag: "DP", side: "downstream", repeat: "no", status: 504, detail };
  },

  silent(key: string, idleMs: number, answered: boolean): Outcome {
    const detail = `${key} sent nothing for ${idleMs} ms (timeouts.streamIdle of its Traffic)`;
    return { flag: answered ? "SI" : "UT", side: "upstream", repeat: "no", status: 504, detail };
  },

  /** An answer of a language model has no content for too long. */
  noContent(key: string, ms: number, answered: boolean, setting: string): Outcome {
    const detail = `${key} sent no content for ${ms} ms (inference.timeouts.${setting})`;
    return {
      ...{ flag: answered ? "SI" : "UT", side: "upstream", status: 504, detail },
      repeat: answered ? "no" : "idempotent",
    };
  },

  shed(key: string, level: PriorityLevel): Outcome {
    const how = `its event loop is over ${limits.shedDelayMs} ms late (shedDelayMs)`;
    const detail = `this machine's proxy cannot keep up, ${how}, and requests to ${key} of priority ${priorities[level]} have to wait`;
    return { flag: "OM", side: "mesh", repeat: "yes", status: 503, detail };
  },

  /** An answer of the service itself, where that is a reason to try again. */
  badAnswer(key: string, { status, grpc }: { readonly status: number; readonly grpc: number }): Outcome {
    const detail = `${key} answered ${grpc < 0 ? status : `status ${grpc} of gRPC`}`;
    return { flag: "UR", side: "upstream", repeat: "idempotent", status, detail };
  },

  /** One attempt took too long. */
  tryTimeout(key: string, perTryMs: number): Outcome {
    const detail = `an attempt at ${key} was not over within ${perTryMs} ms (timeouts.perTry of its Traffic)`;
    return { flag: "UT", side: "upstream", repeat: "idempotent", status: 504, detail };
  },

  noBudget(failed: Outcome, key: string, { ratio, minPerSecond, windowMs }: RetryBudgetSaid): Outcome {
    const budget = `${minPerSecond} a second and ${ratio * 100} % of its requests within ${windowMs} ms`;
    const raise = "(retryBudget.min, .percent and .interval of its Traffic)";
    const detail = `${failed.detail}; it was not tried again because the retries of ${key} are used up: ${budget} ${raise}`;
    return { ...failed, flag: "URX", detail };
  },
} as const;
