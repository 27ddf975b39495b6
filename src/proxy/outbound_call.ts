/**
 * What HTTP exchanges and opaque connections of a local service have in common on their way out: a place among the calls to the
 * service that was called, for which they may have to wait, and which they give back once.
 */
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { Deadlines } from "./deadline/deadlines.ts";
import type { Entrant } from "./guard/admission.ts";
import type { CallRecord } from "./record/call_record.ts";
import type { Claim } from "./share/claim.ts";
import type { Flow } from "./share/flow.ts";
import { shareSpent } from "./share/share_outcome.ts";
import type { LiveDestination } from "./state/live_service.ts";
import type { OutboundSource } from "./state/outbound_source.ts";

export abstract class OutboundCall extends Deadlines implements Entrant {
  /** The service that was called. */
  protected called: LiveDestination | null = null;
  #place: Claim<Entrant> | null = null;

  constructor(
    readonly source: OutboundSource,
    readonly flow: Flow,
    protected readonly record: CallRecord,
  ) {
    super(source.parts.shard);
  }

  /** It has its place: at once or later, unless it is refused or leaves before. */
  protected abstract entered(): void;
  protected abstract refuse(outcome: Outcome): void;

  protected enter(called: LiveDestination): void {
    this.called = called;
    const claim = this.flow.claimOn(called.admission);
    const answer = called.admission.ask(claim, this, this.source.parts.shard.clock.now());
    if (answer === "full") return this.#turnAway("pendingMax");
    if (answer === "waits") return this.limitTripped("requestsMax");
    this.#place = claim;
    this.entered();
  }

  /** Its turn came, after it had waited. */
  admitted(): void {
    this.#place = this.flow.claimOn((this.called as LiveDestination).admission);
    this.entered();
  }

  overdue(): void {
    this.#turnAway("pendingMs");
  }

  /** Gives its place back, or waits for it no longer. */
  protected leave(): void {
    if (this.#place !== null) this.called?.admission.leave(this.#place);
    else this.called?.admission.forget(this);
    this.#place = null;
  }

  /** Whether so much is under way to the service that the other proxy shares by client, and has to be told which one this is. */
  get tellsFlow(): boolean {
    const { taken = 0 } = this.called?.admission ?? {};
    return (this.#place?.taken ?? 0) > limits.flowToldRequestsMin || taken > limits.flowsToldRequestsMin;
  }

  /** Seconds since 1970. */
  protected get nowS(): number {
    return Math.floor(this.source.parts.shard.clock.wallMs() / 1_000);
  }

  protected limitTripped(limit: string): void {
    this.source.parts.recorder.limitTripped(limit, `outbound ${this.source.key}`);
  }

  #turnAway(limit: "pendingMax" | "pendingMs"): void {
    const { key, admission } = this.called as LiveDestination;
    this.limitTripped(limit);
    this.refuse(shareSpent(key, { gate: admission, flow: this.flow, of: "requestsMax", limit }));
  }
}
