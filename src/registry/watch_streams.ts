/**
 * Watches as streams of lines. Whole revisions count: a revision that needs several lines says so, and a reader acts on the
 * last one. Whoever reads too slowly is cut off and resumes.
 */
import type { Clock } from "../../runtime/contract.ts";
import type { WatchChange, WatchLine } from "../api/messages.ts";
import { lineStream, type LineStream } from "../api/ndjson.ts";
import { limits } from "../model/limits.ts";
import { sizeOf } from "./change_log.ts";
import type { Change, Store } from "./store.ts";

export class WatchStreams {
  readonly #open = new Set<LineStream>();

  constructor(
    readonly store: Store,
    readonly clock: Clock,
  ) {}

  /** `known`: whether `from` is a revision of this registry's life; a revision of another one says nothing. */
  begin(prefix: string, from: number, known: boolean): Response {
    const { store, clock } = this;
    const heartbeat = (): WatchLine => ({ kind: "heartbeat", revision: store.revision() });
    let stop = (): void => {};
    let own: LineStream | null = null;
    const closed = (): void => {
      if (own !== null) this.#open.delete(own);
      stop();
    };
    return lineStream({ clock, heartbeat, closed }, (stream) => {
      own = stream;
      this.#open.add(stream);
      const started = known
        ? store.watch(prefix, from, (changes, revision) => sendChanges(stream, changes, revision))
        : ({ ok: false, revision: store.revision() } as const);
      if (started.ok) stop = started.stop;
      const line: WatchLine = started.ok ? heartbeat() : { kind: "compacted", revision: started.revision };
      // A reader whom the first changes were too much for is gone by now, and nobody has stopped the watch yet.
      if (!stream.send(line)) stop();
      if (!started.ok) stream.close();
    });
  }

  /** Ends every stream: their readers look for another registry, or for this one again. */
  close(): void {
    for (const stream of [...this.#open]) stream.close();
  }
}

function sendChanges(stream: LineStream, changes: readonly Change[], revision: number): void {
  let part: WatchChange[] = [];
  let characters = 0;
  changes.forEach((change, at) => {
    part.push(shown(change));
    characters += sizeOf(change);
    const next = changes[at + 1];
    if (next !== undefined && characters + sizeOf(next) <= limits.registryLineCharactersMax) return;
    const upTo = next === undefined ? revision : change.revision;
    const partial = next?.revision === change.revision;
    stream.send({ kind: "changes", revision: upTo, partial, changes: part } satisfies WatchLine);
    part = [];
    characters = 0;
  });
}

function shown(change: Change): WatchChange {
  if (change.kind === "delete") return { kind: "delete", key: change.key };
  const { key, value, modified } = change.entry;
  return { kind: "put", key, value, modified };
}
