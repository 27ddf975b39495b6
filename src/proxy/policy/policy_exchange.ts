/** A request of a policy as the outbound pipeline sees it: an exchange that no connection brought. Its answer is kept, in bounds. */
import type {
  ClientWatch,
  ConnectionInfo,
  RequestHead,
  RequestSink,
  ServerExchange,
} from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { CallOutcome, ServiceCall } from "../../policy/service_call.ts";
import type { FieldEdits, Fields } from "../../wire/fields.ts";
import { fieldsFrom } from "../../wire/head_fields.ts";
import { errorField, requestIdField } from "../fields/heddle_fields.ts";

const nowhere: ConnectionInfo = {
  remoteAddress: "",
  remotePort: 0,
  localPort: 0,
  peer: null,
  serverName: "",
};

export class PolicyExchange implements ServerExchange {
  readonly request: RequestHead;
  readonly connection = nowhere;
  finished = false;
  readonly #body: Uint8Array;
  #watch: ClientWatch | null = null;
  #sink: RequestSink | null = null;
  #status = 0;
  #headers: string[] = [];
  readonly #decoder = new TextDecoder();
  #text = "";
  #bytes = 0;

  constructor(
    { service, method, target, headers, body }: ServiceCall,
    requestId: string,
    /** Hears what came of it, once. */
    private readonly done: (outcome: CallOutcome) => void,
  ) {
    this.#body = new TextEncoder().encode(body);
    const own = [requestIdField, requestId, "accept-encoding", "identity"];
    this.request = {
      ...{ method, target: target.target, path: target.path },
      authority: `${service.name}.${service.namespace}.mesh`,
      fields: fieldsFrom([...headers, ...own.filter((_, at) => !headers.includes(own[at - (at % 2)] ?? ""))]),
      contentLength: this.#body.length,
      ...{ upgrade: null, expectContinue: false, version: "HTTP/1.1", nominated: null },
    };
  }

  /** Nobody waits for it any more: the pipeline is to hear so (`cancel`). */
  leave({ detail }: Outcome): void {
    this.#finish({ ok: false, problem: detail, late: true });
  }

  /** What of it is still under way ends. */
  cancel(outcome: Outcome): void {
    (this.#sink ?? this.#watch)?.aborted(outcome);
  }

  accept(sink: RequestSink): void {
    this.#sink = sink;
    if (this.#body.length > 0) sink.data(this.#body, 0, this.#body.length);
    sink.end(null);
  }

  watch(watch: ClientWatch | null): void {
    this.#watch = watch;
  }

  respond(status: number, fields: Fields | null, { remove, set, add }: FieldEdits): void {
    // No app says this: it is heddle's word for why there is no answer.
    const at = set.indexOf(errorField);
    const error = fields?.get(errorField) ?? (at < 0 ? null : (set[at + 1] ?? ""));
    if (error !== null) return this.#finish({ ok: false, problem: `${this.request.authority}: ${error}` });
    this.#status = status;
    const gone = new Set([...remove, ...set.filter((_, at) => at % 2 === 0)]);
    for (let at = 0; at < (fields?.count ?? 0); at++) {
      const name = fields?.nameAt(at) ?? "";
      if (!gone.has(name)) this.#headers.push(name, fields?.valueAt(at) ?? "");
    }
    this.#headers.push(...set, ...add);
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    if (this.finished) return false;
    this.#bytes += end - start;
    const most = limits.policyCallBodyBytesMax;
    if (this.#bytes > most) this.#finish({ ok: false, problem: `The answer has more than ${most} bytes` });
    else this.#text += this.#decoder.decode(bytes.subarray(start, end), { stream: true });
    return !this.finished;
  }

  end(): void {
    const body = this.#text + this.#decoder.decode();
    this.#finish({ ok: true, status: this.#status, headers: this.#headers, body });
  }

  abort(): void {
    this.#finish({ ok: false, problem: "The answer broke off" });
  }

  #finish(outcome: CallOutcome): void {
    if (this.finished) return;
    this.finished = true;
    this.done(outcome);
  }

  /** It takes every head. */
  refusesHead(): null {
    return null;
  }

  inform(): void {}
  pause(): void {}
  resume(): void {}
  liftTimeouts(): void {}

  leavesByClosing(): void {}
  keepUpgrade(): void {}
}
