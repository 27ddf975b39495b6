/** What one call of a policy waits for, found out: services are asked as whoever asked the policy, inside the time that it may wait. */
import type { Clock } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import { serviceNamed } from "./named_services.ts";
import type { PolicyCall } from "./policy_call.ts";
import type { PolicyHost } from "./policy_host.ts";
import type { SharedCounters, SharedTaken } from "./shared_counters.ts";
import { checkSignature, type SignatureFinding } from "./signature.ts";
import type { CallOutcome } from "./service_call.ts";
import type { WaitDecision, Wanted, WantedCall } from "./wait_decision.ts";

/** What it needs of what is around a policy. */
export interface WaitingPlace {
  readonly host: Pick<PolicyHost, "refOf">;
  readonly clock: Pick<Clock, "now">;
  /** Absent: there are none. */
  readonly shared?: SharedCounters;
  readonly leadsTo: (binding: PolicyBinding, called: ServiceName, key: string) => boolean;
}

type Found = CallOutcome | SignatureFinding | { readonly ok: true; readonly taken: SharedTaken };

export class Waited {
  /** An answer of a service did not come, or says that the service failed. */
  failed = false;
  readonly #waitMs: number;
  readonly #untilMs: number;
  #asked = 0;

  constructor(
    private readonly around: WaitingPlace,
    private readonly binding: PolicyBinding,
    private readonly call: PolicyCall,
  ) {
    this.#waitMs = around.host.refOf(binding.hash)?.waitMs ?? limits.policyWaitMs;
    this.#untilMs = around.clock.now() + this.#waitMs;
  }

  /** It asked for more than it may, and was told so. */
  get over(): boolean {
    return this.#asked > limits.policyWantsMax;
  }

  /** `done` hears of each in its place, once all are there. */
  find({ wants }: WaitDecision, done: (found: readonly Found[]) => void): void {
    const found: Found[] = [];
    let left = wants.length;
    for (const [at, want] of wants.entries())
      this.#find(want, (each) => {
        found[at] = each;
        if (--left === 0) done(found);
      });
  }

  #find(want: Wanted, done: (found: Found) => void): void {
    const most = limits.policyWantsMax;
    if (++this.#asked > most)
      return done({ ok: false, problem: `One call of a policy may ask for ${most} things (policyWantsMax)` });
    if (want.do === "verify") return done(checkSignature(want));
    if (want.do === "take" || want.do === "settle") return done(this.#count(want));
    this.#ask(want, done);
  }

  #count(want: Extract<Wanted, { do: "take" | "settle" }>): Found {
    const { shared } = this.around;
    if (shared === undefined) return { ok: false, problem: "Nothing is shared here" };
    const of = `${this.binding.name} ${serviceKey(this.call.service)}`;
    return { ok: true, taken: want.do === "take" ? shared.take(of, want) : shared.settle(of, want) };
  }

  #ask({ service: written, method, target, headers, body }: WantedCall, done: (found: Found) => void): void {
    const { leadsTo, clock } = this.around;
    const { service: called, services } = this.call;
    const service = serviceNamed(written, called.namespace);
    if (!leadsTo(this.binding, called, serviceKey(service)))
      return done({ ok: false, problem: `The options of the policy do not name the service "${written}"` });
    if (services === undefined) return done({ ok: false, problem: "Services cannot be asked here" });
    const leftMs = this.#untilMs - clock.now();
    const late: Found = {
      ok: false,
      problem: `${serviceKey(service)} did not answer within ${this.#waitMs} ms (limits.wait)`,
    };
    if (leftMs <= 0) {
      this.failed = true;
      return done(late);
    }
    services({ service, method, target, headers, body }, leftMs, (outcome) => {
      this.failed ||= !outcome.ok || outcome.status >= 500;
      done(!outcome.ok && outcome.late === true ? late : outcome);
    });
  }
}
