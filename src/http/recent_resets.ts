/** Streams that were reset here and whose last frames may be under way: the newest few of them. */
const kept = 64;

export class RecentResets {
  #ids: Int32Array | null = null;
  #at = 0;

  note(streamId: number): void {
    const ids = (this.#ids ??= new Int32Array(kept));
    ids[this.#at++ % kept] = streamId;
  }

  has(streamId: number): boolean {
    return this.#ids?.includes(streamId) === true;
  }
}
