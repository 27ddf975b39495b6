/** `timeouts` of a service or of the mesh. */
import * as v from "valibot";
import { formatDuration } from "../../base/duration.ts";
import { duration, object, said } from "../fields.ts";
import { atLeast, inMs, type TrafficPart } from "./traffic_part.ts";

const schema = object({
  connect: v.optional(
    said(
      atLeast("1ms", 1),
      "To connect to an instance, and as long again for the handshake of TLS (default: 1s, and 5s for TLS)",
    ),
  ),
  request: v.optional(
    said(
      duration,
      "From the request's head to the end of the answer, retries included; a route may say its own; 0s: none (default: 0s)",
    ),
  ),
  perTry: v.optional(
    said(
      duration,
      "One attempt to the end of its answer, after which the request may be sent again; 0s: none (default: 0s)",
    ),
  ),
  idle: v.optional(
    said(atLeast("1ms", 1), "How long a connection to an instance is kept that nothing uses (default: 1m)"),
  ),
  streamIdle: v.optional(
    said(
      duration,
      "For which nothing of a request and its answer may move; written, it holds for gRPC, SSE, WebSockets and CONNECT too, though not where the Service says stream: true; 0s: none (default: 5m, and none for those)",
    ),
  ),
});

export const timeouts: TrafficPart<"timeouts", typeof schema> = {
  schema,
  words: "How long things may take; a caller's own deadline counts where it is shorter",
  expand: (written) => inMs(written, ["connect", "request", "perTry", "idle", "streamIdle"]),
  check({ requestMs, perTryMs }, written, report) {
    if (requestMs === 0 || perTryMs <= requestMs) return;
    const message = `one attempt (perTry), ${formatDuration(perTryMs)}, may take longer than the whole request, ${formatDuration(requestMs)}`;
    report(written.perTryMs === undefined ? "request" : "perTry", message);
  },
};
