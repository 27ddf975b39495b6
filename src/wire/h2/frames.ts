/** The frames of HTTP/2 (RFC 9113 sections 4 and 6): types, flags, error codes, and writing into a buffer. */

/** The client connection preface (RFC 9113 section 3.4). */
export const prefaceText = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export const frameHeaderBytes = 9;

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const frameFlags = {
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

/** Error codes (RFC 9113 section 7). */
export const errorCodes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

const errorNames = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
] as const;

/** The RFC's name of an error code, for words. */
export function errorName(code: number): string {
  return errorNames[code] ?? `error ${code}`;
}

/**
 * The code for a caller whose stream the app reset with `code`; null where it says nothing to it: what was taken back may be
 * sent again, which heddle decides, and the rest is about the connection to the app.
 */
export function codeForCaller(code: number): number | null {
  switch (code) {
    case errorCodes.refusedStream:
    case errorCodes.connectError:
    case errorCodes.http11Required:
      return null;
    case errorCodes.noError:
      // Behind an answer that is not whole it would pass for the end of one.
      return errorCodes.internalError;
    default:
      return code;
  }
}

/** Largest window and stream number. */
export const maxInt31 = 0x7fff_ffff;

/** Writes a frame header to `bytes` at `at`; returns the offset behind it. */
export function putFrameHeader(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  return put32(bytes, at + 5, streamId);
}

/** Writes 32 bits in network order; returns the offset behind them. */
export function put32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

/** 32 bits in network order, unsigned. */
export function get32(bytes: Uint8Array, at: number): number {
  return get31(bytes, at) + ((bytes[at] as number) >= 128 ? 0x8000_0000 : 0);
}

/** The lower 31 of 32 bits: stream numbers and increments, whose first bit is reserved. */
export function get31(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) & 127) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
