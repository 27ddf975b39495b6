/** How well something is, in three words. Colour never says it alone: each has a sign of its own. */
import type { Golden, ServiceRow } from "../api/dashboard_messages.ts";

export type Health = "good" | "warn" | "bad" | "idle";

export const signs: Readonly<Record<Health, string>> = { good: "●", warn: "▲", bad: "✕", idle: "○" };

/** As `heddle stat` colours it. */
function healthOfSuccess(success: number | null): Health {
  if (success === null) return "idle";
  if (success >= 0.999) return "good";
  return success >= 0.99 ? "warn" : "bad";
}

export function healthOfTraffic({ success, tcpOpen }: Pick<Golden, "success" | "tcpOpen">): Health {
  return success === null && tcpOpen > 0 ? "good" : healthOfSuccess(success);
}

/** Its traffic, and whether anything is there to serve it. */
export function healthOfService(service: ServiceRow): Health {
  const { instances, ready, ejected, declared } = service;
  const traffic = healthOfTraffic(service);
  if (traffic === "bad" || (declared && instances > 0 && ready === 0)) return "bad";
  if (traffic === "warn" || ready < instances || ejected > 0) return "warn";
  return traffic;
}

/** Of a certificate that lives from one moment to another. */
export function healthOfLife(issuedMs: number, notAfterMs: number, nowMs: number): Health {
  const left = (notAfterMs - nowMs) / Math.max(1, notAfterMs - issuedMs);
  if (left <= 0) return "bad";
  return left < 0.2 ? "warn" : "good";
}
