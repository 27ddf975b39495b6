/** The question `record`: requests of a service as its policies are asked about them, a share of them, with nothing secret. */
import { createHash } from "node:crypto";
import type { Clock } from "../../runtime/contract.ts";
import type { RecordedRequest, RecordingLine } from "../model/recording.ts";
import { serviceKey } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { HeldChain } from "../policy/chain.ts";
import { flatten, type PolicyCall } from "../policy/policy_call.ts";
import type { PolicyListener } from "../policy/ask_policy.ts";
import type { Said } from "../policy/heard.ts";
import { recorded } from "../policy/hooks.ts";
import type { Answering, Reply } from "./answers.ts";
import { Redaction } from "./redaction.ts";

export function recordAnswering(chain: Pick<HeldChain, "listen">, clock: Clock): Answering<"record"> {
  return ({ service, percent, salt }, reply) =>
    chain.listen(new Recorder(service, percent, new Redaction(salt), reply, clock));
}

/** Of a million. */
const parts = 1_000_000;

class Recorder implements PolicyListener {
  readonly #known = new WeakMap<PolicyBinding, string>();

  constructor(
    readonly service: string,
    readonly percent: number,
    readonly redaction: Redaction,
    readonly reply: Reply,
    readonly clock: Clock,
  ) {}

  request(call: PolicyCall): void {
    if (recorded[call.hook] === null || !this.#wants(call)) return;
    const { method, authority, target, sourceId, requestId, deadlineMs, address } = call;
    this.reply.line({
      ...{
        kind: "request",
        key: keyOf(call),
        atMs: this.clock.wallMs(),
        method,
        authority,
        sourceId,
        requestId,
      },
      target: this.redaction.target(target),
      service: this.service,
      fields: this.redaction.fields(flatten(call.fields)),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(address === undefined ? {} : { address }),
    } satisfies RecordedRequest);
  }

  asked(binding: PolicyBinding, call: PolicyCall, said: Said, atMs: number | null): void {
    const { hook, about } = call;
    if (recorded[hook] === null || !this.#wants(call)) return;
    const fields = recorded[hook] === "answer" ? { fields: this.redaction.fields(flatten(call.fields)) } : {};
    this.reply.line({
      ...{
        kind: "answer",
        key: keyOf(call),
        atMs: atMs ?? this.clock.wallMs(),
        binding: this.#idOf(binding),
        hook,
      },
      ...(about === undefined ? {} : { about }),
      ...fields,
      said: this.redaction.said(said),
    } satisfies RecordingLine);
  }

  #wants({ service, requestId }: PolicyCall): boolean {
    if (serviceKey(service) !== this.service) return false;
    return this.percent >= 100 || shareOf(requestId) < this.percent / 100;
  }

  /** Told at once where it is new. */
  #idOf(binding: PolicyBinding): string {
    const known = this.#known.get(binding);
    if (known !== undefined) return known;
    const { hash, name: policy, options } = binding;
    const id = createHash("sha256")
      .update(JSON.stringify([hash, options]))
      .digest("hex")
      .slice(0, 16);
    this.#known.set(binding, id);
    const shown = this.redaction.options(options);
    this.reply.line({ kind: "binding", id, policy, hash, options: shown } satisfies RecordingLine);
    return id;
  }
}

/** Where a request stands in [0, 1), the same on every machine. */
function shareOf(requestId: string): number {
  const word = createHash("sha256").update(requestId).digest().readUInt32BE(0);
  return (word % parts) / parts;
}

function keyOf({ requestId, exchange = "" }: PolicyCall): string {
  return `${exchange} ${requestId}`;
}
