/**
 * Keeps the instances of this machine in the registry: one lease each, renewed well before it ends, told at once when
 * readiness changes, taken back at the end. A registry that is away is tried again until it returns; nothing else waits
 * for it.
 */
import { problemOf } from "../base/result.ts";
import type { Clock, Random, Timer } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { Instance } from "../model/service.ts";

/** Speaks to the registry as the instance's own service. */
export interface InstanceRegistrar {
  register(instance: Instance, ttlMs: number): Promise<unknown>;
  deregister(instanceId: string): Promise<unknown>;
}

export interface RegistrationOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly registrar: InstanceRegistrar;
  readonly instance: Instance;
  /** Told when a renewal failed (why) or worked again (null), once per change. */
  readonly changed: (problem: string | null) => void;
}

export class Registration {
  #instance: Instance;
  #timer: Timer | null = null;
  #busy = false;
  #again = false;
  #closed = false;
  #failures = 0;
  /** Settles when no renewal is under way. */
  #renewing: Promise<void> = Promise.resolve();

  constructor(readonly options: RegistrationOptions) {
    this.#instance = options.instance;
    // It may be registered already, by a process that ended or hands over: that stands until this one knows how it is.
    this.#timer = options.clock.after(limits.leaseRenewMs, () => this.#renew());
  }

  get instance(): Instance {
    return this.#instance;
  }

  /** What others see of this instance from now on; why it is not ready is only for people. */
  tell(ready: boolean, detail: string): void {
    const { problem: _before, ...instance } = this.#instance;
    const problem = detail.slice(0, limits.instanceProblemLengthMax).toWellFormed();
    const next = { ...instance, ready, ...(ready ? {} : { problem }) };
    if (JSON.stringify(next) === JSON.stringify(this.#instance)) return;
    this.#instance = next;
    this.#renew();
  }

  /**
   * Takes the registration back, so that nobody waits for the lease to end; gives up when the registry is away. Where it `stays`
   * somebody else renews it.
   */
  async close(stays = false): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    // A renewal that arrives after this would put the instance back.
    await this.#renewing;
    if (!stays) await this.options.registrar.deregister(this.#instance.id).catch(() => undefined);
  }

  #renew(): void {
    if (this.#closed) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#busy = true;
    this.#renewing = this.options.registrar.register(this.#instance, limits.leaseMs).then(
      () => this.#settled(null),
      (error: unknown) => this.#settled(problemOf(error)),
    );
  }

  #settled(problem: string | null): void {
    this.#busy = false;
    if (this.#closed) return;
    if ((problem !== null) !== this.#failures > 0) this.options.changed(problem);
    this.#failures = problem === null ? 0 : this.#failures + 1;
    if (this.#again) {
      this.#again = false;
      return this.#renew();
    }
    this.#timer = this.options.clock.after(this.#delayMs(), () => this.#renew());
  }

  /** Steady when all is well; soon, with jitter, while the registry is away. */
  #delayMs(): number {
    const unit = this.options.random.unit();
    if (this.#failures === 0) return limits.leaseRenewMs * (0.9 + 0.2 * unit);
    return (
      Math.min(limits.leaseRenewMs, limits.reconnectMs * 2 ** Math.min(this.#failures, 10)) *
      (0.5 + 0.5 * unit)
    );
  }
}
