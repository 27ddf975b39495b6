/** What a failed dial means for an exchange: nothing was sent, so another endpoint may be tried whatever the request. */
import type { SocketError } from "../../../runtime/contract.ts";
import type { Outcome } from "../../model/outcome.ts";

/** `peer` is for words: `orders.default on vm-2 (10.0.0.2:7445)`. */
export function dialOutcome(peer: string, error: SocketError): Outcome {
  if (error.kind === "tls") {
    const detail = `the identity of ${peer} was not accepted: ${error.message}`;
    return { flag: "ID", side: "upstream", repeat: "yes", status: 502, detail };
  }
  const detail =
    error.kind === "refused"
      ? `nothing listens at ${peer}`
      : `could not connect to ${peer}: ${error.message}`;
  return { flag: "UF", side: "upstream", repeat: "yes", status: 503, detail };
}
