/** What the policies of one exchange see of its bytes on their way: copies, in bounds, for which nothing waits. */
import { limits } from "../model/limits.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import { noFields } from "../wire/head_fields.ts";
import { askPolicy, isAskedAt, type Around } from "./ask_policy.ts";
import { toBase64 } from "./base64.ts";
import type { PolicyCall } from "./policy_call.ts";
import type { PolicyChunk } from "./sdk.ts";

export class ChunkCalls {
  readonly #asked: readonly Watching[];

  constructor(
    private readonly around: Around,
    ran: readonly PolicyBinding[],
    private readonly call: PolicyCall,
  ) {
    this.#asked = ran
      .filter((binding) => isAskedAt(binding, "onChunk"))
      .map((binding) => ({ binding, waiting: 0, missed: { request: 0, response: 0 } }));
  }

  take(of: PolicyChunk["of"], bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at += limits.policyChunkPartBytes) {
      const part = bytes.subarray(at, Math.min(end, at + limits.policyChunkPartBytes));
      const wanted = this.#asked.filter((each) => hasRoom(each, of, part.length));
      if (wanted.length === 0) continue;
      const data = toBase64(part);
      for (const each of wanted) this.#show(each, of, part.length, data);
    }
  }

  #show(watching: Watching, of: PolicyChunk["of"], bytes: number, data: string): void {
    const { binding, missed } = watching;
    const about = { of, data, missed: missed[of] };
    missed[of] = 0;
    watching.waiting += bytes;
    // What it sees has no part of the head: nothing about it can be asked by it.
    const { body: _seen, ...call } = this.call;
    askPolicy(this.around, binding, { ...call, hook: "onChunk", fields: noFields, about }, () => {
      watching.waiting -= bytes;
    });
  }
}

interface Watching {
  readonly binding: PolicyBinding;
  /** Bytes that it was shown and has not answered. */
  waiting: number;
  readonly missed: Record<PolicyChunk["of"], number>;
}

function hasRoom(watching: Watching, of: PolicyChunk["of"], bytes: number): boolean {
  if (watching.waiting + bytes <= limits.policyChunkBytesMax) return true;
  watching.missed[of] += bytes;
  return false;
}
