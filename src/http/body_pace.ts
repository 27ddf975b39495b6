/**
 * Whether the body of a request comes fast enough: something within `bodyProgressMs`, and from `bodyGraceMs` on no less than
 * `bodyBytesPerSecondMin` on average. A server looks about once a second while it waits for a body. Only the time counts in
 * which the client is waited for: while nobody takes the body, before the client was told to go on, or while this process itself
 * stood still, it is not to blame.
 *
 * Bodies that may be slow are no business of this: streams that are declared, which today are gRPC (by content type, on HTTP/2),
 * what follows an upgrade or CONNECT, and calls to a Service with `stream: true`. An exchange whose answer has begun is a stream
 * both ways and has no floor; `text/event-stream` says something of an answer and nothing of a body.
 */
import { limits } from "../model/limits.ts";

export type BodyLimit = "bodyProgressMs" | "bodyBytesPerSecondMin";

export class BodyPace {
  #lookedMs = 0;
  /** Whether the client was waited for when somebody last looked. */
  #awaited = false;
  /** How long it was waited for. */
  #waitedMs = 0;
  /** The client could not send before that. */
  #freeMs = 0;

  /** A body begins. */
  begin(nowMs: number): void {
    this.#lookedMs = this.#freeMs = nowMs;
    this.#awaited = true;
    this.#waitedMs = 0;
  }

  /** The limit that is broken, or null. `bytes`: so far; `heardMs`: when the last of them came. */
  look(nowMs: number, awaited: boolean, bytes: number, heardMs: number): BodyLimit | null {
    const passedMs = nowMs - this.#lookedMs;
    const counts = awaited && this.#awaited && passedMs <= limits.bodyStallMs;
    if (counts) this.#waitedMs += passedMs;
    else this.#freeMs = nowMs;
    this.#awaited = awaited;
    this.#lookedMs = nowMs;
    if (!awaited) return null;
    if (nowMs - Math.max(heardMs, this.#freeMs) >= limits.bodyProgressMs) return "bodyProgressMs";
    if (this.#waitedMs < limits.bodyGraceMs) return null;
    const leastBytes = (this.#waitedMs / 1_000) * limits.bodyBytesPerSecondMin;
    return bytes < leastBytes ? "bodyBytesPerSecondMin" : null;
  }
}

/** What to tell the client, and what to do where the client is right. */
export function slowBodyText(limit: BodyLimit): string {
  const slow =
    limit === "bodyProgressMs"
      ? `nothing of the body of the request came for ${limits.bodyProgressMs / 1_000} s`
      : `the body of the request came more slowly than ${limits.bodyBytesPerSecondMin} bytes per second`;
  return `${slow}, which a service takes whose document says "stream: true"`;
}
