/**
 * What bodies that are not answered yet take of a control port's memory: bounded for all together, and of that no caller has more than
 * it leaves free. So nobody fills a port with requests that never end, however many identities it has, and a newcomer always finds
 * as much room as each of those has.
 */
import { limits } from "../model/limits.ts";

export class BodyRoom {
  /** Of all callers. */
  bytes = 0;
  readonly #byCaller = new Map<string, number>();

  constructor(
    readonly onLimit?: (limit: string) => void,
    readonly bytesMax: number = limits.controlBodiesBytesMax,
  ) {}

  /** So many bytes more for this caller; pair with `give`. False: there is no room for them. */
  take(caller: string, bytes: number): boolean {
    const own = (this.#byCaller.get(caller) ?? 0) + bytes;
    if (own > this.bytesMax - this.bytes - bytes) {
      this.onLimit?.("controlBodiesBytesMax");
      return false;
    }
    this.#set(caller, own);
    this.bytes += bytes;
    return true;
  }

  give(caller: string, bytes: number): void {
    this.#set(caller, (this.#byCaller.get(caller) ?? 0) - bytes);
    this.bytes -= bytes;
  }

  #set(caller: string, bytes: number): void {
    if (bytes > 0) this.#byCaller.set(caller, bytes);
    else this.#byCaller.delete(caller);
  }
}
