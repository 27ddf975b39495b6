/**
 * What hostile peers send, as bytes: how each kind begins on a connection, and what follows every few milliseconds for as long
 * as it lasts. Legal frame by frame, or nearly: what they cost is the attack.
 */
import { errorCodes, frameFlags, frameTypes } from "../../src/wire/h2/frames.ts";
import {
  bytesOf,
  concat,
  frame,
  headers,
  integer,
  literal,
  number32,
  opening,
  preface,
  settings,
  type FieldList,
} from "../support/h2_frames.ts";

export interface FloodKind {
  readonly title: string;
  /** `local`: where apps call, in clear text. `mesh`: where other proxies call, before TLS. */
  readonly at: "local" | "mesh";
  readonly connections: number;
  readonly everyMs: number;
  readonly first: (authority: string) => Uint8Array;
  /** `step` counts from 0 on each connection; null: nothing more comes. */
  readonly next: ((step: number, authority: string) => Uint8Array) | null;
  /** Takes nothing of what comes back. */
  readonly deaf?: true;
}

function fields(authority: string, method = "GET"): FieldList {
  return [
    [":method", method],
    [":scheme", "http"],
    [":path", "/1k"],
    [":authority", authority],
  ];
}

function many(count: number, each: (index: number) => Uint8Array): Uint8Array {
  return concat(...Array.from({ length: count }, (_, index) => each(index)));
}

/** Client streams have odd numbers. */
function streamOf(index: number): number {
  return 2 * index + 1;
}

const opened = (): Uint8Array => opening;
const floodConnections = { at: "local", connections: 8, everyMs: 5 } as const;
const batch = 100;
/** RFC 9113 section 6.9.1. */
const windowMax = 2 ** 31 - 1;
const manySettings = many(batch, () => frame(frameTypes.settings, 0, 0));
const pings = many(batch, () => frame(frameTypes.ping, 0, 0, new Uint8Array(8)));
const emptyData = many(batch, () => frame(frameTypes.data, 0, 1));
const windowUpdates = many(batch, () => frame(frameTypes.windowUpdate, 0, 0, number32(1)));
const openPost = (authority: string): Uint8Array =>
  concat(opening, headers(1, fields(authority, "POST"), false));
const filler = literal("x-filler", "x".repeat(1_000));
const continuations = many(4, () => frame(frameTypes.continuation, 0, 1, filler));
/** The first entry of the dynamic table (RFC 7541 section 2.3.3). */
const firstEntry = integer(62, 7, 0x80);
/** One large entry and many references to it. Made once: what makes it would hold up the client beside it, on the same core. */
const bombFields = concat(
  literal("x-bomb", "b".repeat(4_000), 0x40),
  many(2_000, () => firstEntry),
);

function bomb(streamId: number, authority: string): Uint8Array {
  const known = fields(authority).map(([name, value]) => literal(name, value));
  const block = concat(...known, bombFields);
  return frame(frameTypes.headers, frameFlags.endHeaders | frameFlags.endStream, streamId, block);
}

export const floodKinds = {
  nothing: { ...floodConnections, connections: 0, title: "nothing", first: opened, next: null },
  "rapid-reset": {
    ...floodConnections,
    title: "rapid reset",
    first: opened,
    next: (step, authority) =>
      many(20, (index) => {
        const streamId = streamOf(step * 20 + index);
        const reset = frame(frameTypes.rstStream, 0, streamId, number32(errorCodes.cancel));
        return concat(headers(streamId, fields(authority)), reset);
      }),
  },
  continuation: {
    ...floodConnections,
    title: "CONTINUATION without end",
    first: (authority) =>
      concat(
        opening,
        frame(
          frameTypes.headers,
          frameFlags.endStream,
          1,
          concat(...fields(authority).map(([name, value]) => literal(name, value))),
        ),
      ),
    next: () => continuations,
  },
  ping: { ...floodConnections, title: "PING", first: opened, next: () => pings },
  settings: {
    ...floodConnections,
    title: "SETTINGS",
    first: opened,
    next: () => manySettings,
  },
  "empty-data": {
    ...floodConnections,
    title: "empty DATA frames",
    first: openPost,
    next: () => emptyData,
  },
  "window-update": {
    ...floodConnections,
    title: "WINDOW_UPDATE",
    first: opened,
    next: () => windowUpdates,
  },
  priority: {
    ...floodConnections,
    title: "PRIORITY",
    first: opened,
    next: (step) =>
      many(batch, (index) =>
        frame(frameTypes.priority, 0, streamOf(step * batch + index), concat(number32(0), Uint8Array.of(1))),
      ),
  },
  "hpack-bomb": {
    ...floodConnections,
    title: "HPACK bomb",
    first: opened,
    next: (step, authority) => bomb(streamOf(step), authority),
  },
  unfinished: {
    ...floodConnections,
    title: "requests that never end",
    first: opened,
    next: (step, authority) =>
      many(batch, (index) => headers(streamOf(step * batch + index), fields(authority, "POST"), false)),
  },
  "slow-heads": {
    at: "local",
    connections: 200,
    everyMs: 100,
    title: "slow heads, HTTP/1.1",
    first: (authority) => bytesOf(`GET /1k HTTP/1.1\r\nHost: ${authority}\r\nX-Slow: `),
    next: () => bytesOf("x"),
  },
  "slow-readers": {
    at: "local",
    connections: 32,
    everyMs: 100,
    title: "slow readers, 100 streams each without a window",
    first: (authority) =>
      concat(
        preface,
        settings([4, 0]),
        many(100, (index) => headers(streamOf(index), fields(authority))),
      ),
    next: null,
    deaf: true,
  },
  /** No attack: what a client may do. */
  burst: {
    at: "local",
    connections: 32,
    everyMs: 500,
    title: "32 connections with 100 requests each, all at once, twice a second",
    first: () =>
      concat(
        preface,
        settings([4, windowMax]),
        frame(frameTypes.windowUpdate, 0, 0, number32(windowMax - 65_535)),
      ),
    next: (step, authority) =>
      many(batch, (index) => headers(streamOf(step * batch + index), fields(authority))),
  },
  "half-open": {
    at: "mesh",
    connections: 1_000,
    everyMs: 100,
    title: "half-open: the head of a TLS record and no more",
    first: () => Uint8Array.of(0x16, 3, 1, 2, 0),
    next: null,
  },
} as const satisfies Readonly<Record<string, FloodKind>>;

export type FloodName = keyof typeof floodKinds;
/** All but the burst, which is none. */
export const floodNames = (Object.keys(floodKinds) as readonly FloodName[]).filter(
  (name) => name !== "burst",
);
