/** SETTINGS (RFC 9113 section 6.5, RFC 8441): what a side takes, by where it stands, and what its peer says. */
import { limits } from "../../model/limits.ts";
import {
  errorCodes,
  frameHeaderBytes,
  frameTypes,
  get32,
  maxInt31,
  put32,
  putFrameHeader,
} from "./frames.ts";

const ids = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

/** Tells the other proxy that an upgrade was answered, not made: HTTP/2 has one status for both. */
export const declinedField = "x-heddle-declined";

/** The window of a new connection and of its streams until SETTINGS say otherwise. */
export const initialWindowBytes = 65_535;
const frameBytesMin = 16_384;
const frameBytesLimit = 16_777_215;
const settingBytes = 6;

/** What one side of a connection takes. */
export interface Profile {
  readonly name: "local" | "mesh" | "app";
  readonly streamsMax: number;
  /** Requests that one turn of the event loop takes from one connection, so that no connection makes others wait. */
  readonly requestsPerTurnMax: number;
  /** Of a stream when it begins, and at most once it is known to be used. */
  readonly streamWindowBytes: number;
  readonly streamWindowBytesMax: number;
  readonly connectionWindowBytes: number;
  readonly frameBytesMax: number;
  /** Of its requests. */
  readonly scheme: "http" | "https";
  /** A silent peer is asked whether it is alive. On loopback the kernel tells, and some servers end who asks often. */
  readonly keepalive: boolean;
  /** Both ends are heddle: an upgrade that was answered without switching is told by a field. */
  readonly marksDeclined: boolean;
}

const loopback = {
  streamsMax: limits.h2LocalStreamsMax,
  requestsPerTurnMax: limits.h2LocalRequestsPerTurnMax,
  streamWindowBytes: limits.h2StreamWindowBytes,
  streamWindowBytesMax: limits.h2LocalStreamWindowBytesMax,
  connectionWindowBytes: limits.h2LocalConnectionWindowBytes,
  frameBytesMax: limits.h2FrameBytesMax,
  scheme: "http",
  keepalive: false,
  marksDeclined: false,
} as const;

export const profiles = {
  /** From a local app, over clear text. */
  local: { name: "local", ...loopback },
  /** From outside of the mesh, at a gateway. */
  edge: { name: "local", ...loopback, streamsMax: limits.h2EdgeStreamsMax, keepalive: true },
  /** To a local app, over clear text. */
  app: { name: "app", ...loopback },
  /** Between proxies. */
  mesh: {
    name: "mesh",
    streamsMax: limits.h2MeshStreamsMax,
    // Many clients share it, and what one turn answers leaves in one write.
    requestsPerTurnMax: limits.h2FramesPerTurnMax,
    streamWindowBytes: limits.h2StreamWindowBytes,
    streamWindowBytesMax: limits.h2MeshStreamWindowBytesMax,
    connectionWindowBytes: limits.h2MeshConnectionWindowBytes,
    frameBytesMax: limits.h2MeshFrameBytesMax,
    scheme: "https",
    keepalive: true,
    marksDeclined: true,
  },
} as const satisfies Record<string, Profile>;

/** SETTINGS of this side and the WINDOW_UPDATE that opens the window of its connection, as bytes. */
export function openingFrames(profile: Profile, server: boolean): Uint8Array {
  const headBytesMax = server ? limits.requestHeadBytesMax : limits.responseHeadBytesMax;
  const settings: [number, number][] = [
    [ids.initialWindowSize, profile.streamWindowBytes],
    [ids.maxFrameSize, profile.frameBytesMax],
    [ids.maxHeaderListSize, headBytesMax],
    server ? [ids.maxConcurrentStreams, profile.streamsMax] : [ids.enablePush, 0],
  ];
  if (server) settings.push([ids.enableConnectProtocol, 1]);
  const bytes = new Uint8Array(frameHeaderBytes * 2 + settings.length * settingBytes + 4);
  let at = putFrameHeader(bytes, 0, settings.length * settingBytes, frameTypes.settings, 0, 0);
  for (const [id, value] of settings) {
    bytes[at + 1] = id;
    at = put32(bytes, at + 2, value);
  }
  at = putFrameHeader(bytes, at, 4, frameTypes.windowUpdate, 0, 0);
  put32(bytes, at, profile.connectionWindowBytes - initialWindowBytes);
  return bytes;
}

/** What the peer takes; the RFC's defaults until it says. */
export class PeerSettings {
  headerTableBytes = 4_096;
  /** No limit until it names one. */
  streamsMax = maxInt31;
  streamWindowBytes = initialWindowBytes;
  frameBytesMax = frameBytesMin;
  /** Of a head, as `head_list.ts` counts it. No limit until it names one. */
  headListBytesMax = Infinity;
  connectProtocol = false;
  /** SETTINGS came. */
  known = false;

  /** Reads the payload of a SETTINGS frame. Returns the error code that ends the connection; 0 for none. */
  read(source: Uint8Array, start: number, end: number, fromServer: boolean): number {
    if ((end - start) % settingBytes !== 0) return errorCodes.frameSizeError;
    this.known = true;
    for (let at = start; at < end; at += settingBytes) {
      const id = ((source[at] as number) << 8) | (source[at + 1] as number);
      const error = this.#take(id, get32(source, at + 2), fromServer);
      if (error !== 0) return error;
    }
    return 0;
  }

  #take(id: number, value: number, fromServer: boolean): number {
    switch (id) {
      case ids.headerTableSize:
        this.headerTableBytes = value;
        return 0;
      case ids.enablePush:
        return value > 1 || (fromServer && value === 1) ? errorCodes.protocolError : 0;
      case ids.maxConcurrentStreams:
        this.streamsMax = Math.min(value, maxInt31);
        return 0;
      case ids.initialWindowSize:
        if (value > maxInt31) return errorCodes.flowControlError;
        this.streamWindowBytes = value;
        return 0;
      case ids.maxFrameSize:
        if (value < frameBytesMin || value > frameBytesLimit) return errorCodes.protocolError;
        this.frameBytesMax = value;
        return 0;
      case ids.maxHeaderListSize:
        this.headListBytesMax = value;
        return 0;
      case ids.enableConnectProtocol:
        if (value > 1 || (value === 0 && this.connectProtocol)) return errorCodes.protocolError;
        this.connectProtocol = value === 1;
        return 0;
      default:
        return 0;
    }
  }
}
