/** The question `under-way`: what apps of this machine serve at this moment, for whoever waits until they serve nothing. */
import type { UnderWayLine } from "../model/reading.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import type { ProxyTelemetry } from "../telemetry/proxy_telemetry.ts";
import type { Answering } from "./answers.ts";

export function underWayAnswering(
  { underWay }: Pick<ProxyTelemetry, "underWay">,
  plane: Pick<DataPlane, "state">,
): Answering<"under-way"> {
  return (_question, reply) => {
    const counts = new Map<string, { exchanges: number; connections: number }>();
    for (const { direction, kind, service } of underWay) {
      if (direction !== "inbound") continue;
      const count = counts.get(service) ?? { exchanges: 0, connections: 0 };
      counts.set(service, count);
      if (kind === "http") count.exchanges++;
      else count.connections++;
    }
    const locals = [...(plane.state?.locals.values() ?? [])];
    for (const [service, count] of counts) {
      const open = locals.find(({ key }) => key === service)?.streams;
      const streams = (["sse", "ws", "grpc"] as const).reduce((sum, kind) => sum + (open?.of(kind) ?? 0), 0);
      reply.line({ service, ...count, streams } satisfies UnderWayLine);
    }
    reply.end();
  };
}
