/**
 * What bodies that are not whole, or not answered yet, take of a control port's memory: bounded for each caller and for all of them
 * together, so that nobody fills it with requests that never end, whatever certificate it has.
 */
import { limits } from "../model/limits.ts";

type Bound = "controlBodiesBytesPerCallerMax" | "controlBodiesBytesMax";

export class BodyRoom {
  readonly #byCaller = new Map<string, number>();
  /** Of all callers. */
  bytes = 0;

  constructor(
    readonly onLimit?: (limit: string) => void,
    readonly bounds: Readonly<Record<Bound, number>> = limits,
  ) {}

  /** So many bytes more for this caller; pair with `give`. Otherwise the bound that leaves no room for them. */
  take(caller: string, bytes: number): Bound | null {
    const own = (this.#byCaller.get(caller) ?? 0) + bytes;
    if (own > this.bounds.controlBodiesBytesPerCallerMax) return this.#full("controlBodiesBytesPerCallerMax");
    if (this.bytes + bytes > this.bounds.controlBodiesBytesMax) return this.#full("controlBodiesBytesMax");
    this.#set(caller, own);
    this.bytes += bytes;
    return null;
  }

  give(caller: string, bytes: number): void {
    this.#set(caller, (this.#byCaller.get(caller) ?? 0) - bytes);
    this.bytes -= bytes;
  }

  #set(caller: string, bytes: number): void {
    if (bytes > 0) this.#byCaller.set(caller, bytes);
    else this.#byCaller.delete(caller);
  }

  #full(bound: Bound): Bound {
    this.onLimit?.(bound);
    return bound;
  }
}
