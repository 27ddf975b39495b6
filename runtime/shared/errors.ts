/** Turns what the host and the kernel say about a socket into the contract's `SocketError`. */
import type { SocketError } from "../contract.ts";

const kinds: Readonly<Record<string, SocketError["kind"]>> = {
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  EHOSTDOWN: "unreachable",
  ENOTFOUND: "unreachable",
  EPROTO: "tls",
  EADDRINUSE: "in-use",
  EACCES: "denied",
  EPERM: "denied",
};

/** The `code` of a system error, or `EUNKNOWN`. */
export function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "EUNKNOWN";
  return typeof error.code === "string" ? error.code : "EUNKNOWN";
}

export function socketError(kind: SocketError["kind"], code: string, message: string): SocketError {
  return { kind, code, message };
}

/** For what a call of the host threw or reported. */
export function socketErrorOf(error: unknown): SocketError {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return { kind: kinds[code] ?? "other", code, message: `${message} (${code})` };
}

export const resetError: SocketError = {
  kind: "reset",
  code: "ECONNRESET",
  message: "The peer reset the connection",
};
