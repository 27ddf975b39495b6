/**
 * What the policies of one exchange see of its bytes on their way: copies, in bounds, for which nothing waits. However small the pieces are
 * in which they come, few calls are under way at a time: those that decide about other exchanges have the same inbox.
 */
import { ByteQueue } from "../base/byte_queue.ts";
import { copyBytes } from "../base/bytes.ts";
import { limits } from "../model/limits.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import { noFields } from "../wire/head_fields.ts";
import { askPolicy, isAskedAt, type Around } from "./ask_policy.ts";
import { toBase64 } from "./base64.ts";
import type { PolicyCall } from "./policy_call.ts";
import type { PolicyChunk } from "./sdk.ts";

type Way = PolicyChunk["of"];
const ways: readonly Way[] = ["request", "response"];

export class ChunkCalls {
  readonly #asked: readonly Watching[];

  constructor(
    private readonly around: Around,
    ran: readonly PolicyBinding[],
    private readonly call: PolicyCall,
  ) {
    this.#asked = ran
      .filter((binding) => isAskedAt(binding, "onChunk"))
      .map((binding) => ({ binding, calls: 0, waiting: 0, request: newPassing(), response: newPassing() }));
  }

  take(of: Way, bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at += limits.policyChunkPartBytes) {
      const part = bytes.subarray(at, Math.min(end, at + limits.policyChunkPartBytes));
      for (const each of this.#asked) this.#offer(each, of, part);
    }
  }

  /** No more comes: what was gathered is shown at once. */
  end(): void {
    for (const each of this.#asked)
      for (const of of ways) while (each[of].gathered.length > 0) this.#showGathered(each, of);
  }

  #offer(watching: Watching, of: Way, part: Uint8Array): void {
    const passing = watching[of];
    const { gathered } = passing;
    const isBehindGap = passing.missed > 0 && gathered.length > 0;
    if (isBehindGap || watching.waiting + part.length > limits.policyChunkBytesMax) {
      passing.missed += part.length;
      return;
    }
    watching.waiting += part.length;
    if (gathered.length === 0 && watching.calls < limits.policyChunkCallsMax) {
      const { missed } = passing;
      passing.missed = 0;
      return this.#show(watching, of, part, missed);
    }
    if (gathered.length === 0) {
      passing.missedBefore = passing.missed;
      passing.missed = 0;
    }
    gathered.push(part, 0, part.length);
  }

  #showGathered(watching: Watching, of: Way): void {
    const passing = watching[of];
    const { gathered, missedBefore } = passing;
    passing.missedBefore = 0;
    const part = new Uint8Array(Math.min(gathered.length, limits.policyChunkPartBytes));
    for (let at = 0; at < part.length;) {
      const { bytes, start, end } = gathered.first;
      const taken = Math.min(end - start, part.length - at);
      copyBytes(part, at, bytes, start, start + taken);
      gathered.drop(taken);
      at += taken;
    }
    this.#show(watching, of, part, missedBefore);
  }

  #show(watching: Watching, of: Way, part: Uint8Array, missed: number): void {
    const about = { of, data: toBase64(part), missed };
    const bytes = part.length;
    watching.calls++;
    // What it sees has no part of the head: nothing about it can be asked by it.
    const { body: _seen, ...call } = this.call;
    askPolicy(
      this.around,
      watching.binding,
      { ...call, hook: "onChunk", fields: noFields, about },
      (said) => {
        watching.calls--;
        watching.waiting -= bytes;
        if (said.do === "failed" && said.failure === "unanswered") leftOut(watching[of], bytes);
        for (const way of ways)
          if (watching[way].gathered.length > 0 && watching.calls < limits.policyChunkCallsMax)
            this.#showGathered(watching, way);
      },
    );
  }
}

interface Watching extends Readonly<Record<Way, Passing>> {
  readonly binding: PolicyBinding;
  /** That are under way. */
  calls: number;
  /** Bytes that it was shown and has not answered, and those that were gathered. */
  waiting: number;
}

/** Of one body. */
interface Passing {
  /** Waits until fewer calls are under way. */
  readonly gathered: ByteQueue;
  /** Bytes before it that are not shown. */
  missedBefore: number;
  /** Bytes after it that are not shown. */
  missed: number;
}

/** It had no place among the calls of its policy, or was lost with them. */
function leftOut(passing: Passing, bytes: number): void {
  if (passing.gathered.length > 0) passing.missedBefore += bytes;
  else passing.missed += bytes;
}

function newPassing(): Passing {
  return { gathered: new ByteQueue(), missedBefore: 0, missed: 0 };
}
