/** What gRPC says in HTTP/2 fields: whether a message is one, its deadline, and how an HTTP status is told as a gRPC status. */
import type { Fields } from "./fields.ts";

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** `application/grpc` and its variants, but not gRPC-Web, which is ordinary HTTP. */
export function isGrpc(fields: Fields): boolean {
  const type = fields.get("content-type");
  return type !== null && isGrpcType(type);
}

/** A media type counts in any case (RFC 9110 section 8.3.1). */
export function isGrpcType(type: string): boolean {
  // The letter that tells it from `application/json` and most others.
  if ((type.charCodeAt(12) | 0x20) !== 0x67) return false;
  if (!type.startsWith(grpcType) && type.slice(0, grpcType.length).toLowerCase() !== grpcType) return false;
  const next = type.charCodeAt(grpcType.length);
  // Nothing, `+proto`, or parameters.
  return Number.isNaN(next) || next === 0x2b || next === 0x3b || next === 0x20 || next === 0x09;
}

const grpcType = "application/grpc";

/** Milliseconds that `grpc-timeout` grants (one to eight digits and a unit); null when there is none or it is malformed. */
export function grpcTimeoutMs(fields: Fields): number | null {
  const text = fields.get("grpc-timeout");
  const found = text === null ? null : /^(\d{1,8})([HMSmun])$/.exec(text);
  if (found === null) return null;
  return Number(found[1]) * (unitMs[found[2] as string] as number);
}

/** A `grpc-timeout` of at least one millisecond. */
export function grpcTimeoutText(leftMs: number): string {
  const whole = Math.max(1, Math.floor(leftMs));
  return whole < 100_000_000 ? `${whole}m` : `${Math.floor(whole / 1_000)}S`;
}

/** The codes of the gRPC specification that heddle itself says. */
export const grpcCodes = { resourceExhausted: 8 } as const;

/** The code that stands for an answer which a proxy gave itself; numbers as in the gRPC specification. */
export function grpcStatusOf(httpStatus: number): number {
  switch (httpStatus) {
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
    case 405:
    case 421:
      return 12;
    case 413:
    case 431:
      return grpcCodes.resourceExhausted;
    case 429:
    case 502:
    case 503:
      return 14;
    case 504:
      return 4;
    case 400:
    case 500:
      return 13;
    default:
      return 2;
  }
}

/** `grpc-message`: UTF-8, percent-encoded but for printable ASCII. */
export function grpcMessage(text: string): string {
  let encoded = "";
  for (const byte of new TextEncoder().encode(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
