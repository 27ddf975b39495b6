/** What a caller's proxy decides in a simulation: where an attempt goes, and what follows when it fails. One for each proxy. */
import type { Random } from "../../runtime/contract.ts";
import type { Ending } from "./server.ts";

/** What a contestant is told about the fleet. */
export interface PolicyInput {
  /** Zone of each server. */
  readonly zones: readonly string[];
  /** Of the caller. */
  readonly zone: string;
  readonly random: Random;
  /** An attempt that takes longer fails; null: only the request as a whole may. */
  readonly tryTimeoutMs: number | null;
}

export interface Failed {
  readonly ending: Ending;
  /** So far, this one included. */
  readonly attempts: number;
  /** Servers that were tried, by index. */
  readonly tried: readonly number[];
  /** Until the client gives up. */
  readonly leftMs: number;
}

export interface Policy {
  /** Index of a server, or -1 when it knows none. */
  pick(tried: readonly number[], nowMs: number): number;
  /** An attempt begins, after so many others of its request. What is returned comes back when it ends. */
  began(server: number, before: number): number;
  /** `token`: what `began` returned. */
  ended(server: number, token: number, ending: Ending, tookMs: number, nowMs: number): void;
  /** A request comes, before its first attempt. */
  arrived(nowMs: number): void;
  /** After how many milliseconds it is sent again; null: not at all. */
  retryAfterMs(failed: Failed, nowMs: number): number | null;
}
