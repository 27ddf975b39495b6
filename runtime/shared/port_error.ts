/** Why a port cannot be listened on, and who has it. */
import type { ListenError, SocketError } from "../contract.ts";
import { socketErrorOf } from "./errors.ts";
import { holderOf } from "./holder.ts";

class PortError extends Error implements ListenError {
  override readonly name = "ListenError";
  constructor(
    message: string,
    readonly socketError: SocketError,
    readonly holder: string | null,
  ) {
    super(message);
  }
}

/** `error`: what the host threw. */
export function portError(host: string, port: number, error: unknown): ListenError {
  const cause = socketErrorOf(error);
  const holder = cause.kind === "in-use" ? holderOf(host, port) : null;
  const detail =
    cause.kind === "in-use" ? `the port is taken by ${holder ?? "another process"}` : cause.message;
  return new PortError(`Cannot listen on ${host}:${port}: ${detail}`, cause, holder);
}
