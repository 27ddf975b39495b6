/** The admin pages of a mode: `/ready /live /metrics /config`, read-only, without secrets, on loopback. */
import { metricContentTypes, metricFormatFor, type MetricFormat } from "../telemetry/exposition.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export interface AdminPages {
  /** Named tasks that must be done before the mode is ready; false: not yet. */
  readonly ready: () => Readonly<Record<string, boolean>>;
  readonly metrics: Metrics;
  /** Before somebody reads them: what is counted elsewhere comes in. Absent: all is counted here. */
  readonly gather?: () => Promise<void>;
  /** What is in force, for people. */
  readonly config: () => unknown;
  /** Pages that only this mode has; null: none is there. */
  readonly more?: (path: string, format: MetricFormat) => Promise<Response> | null;
}

export function adminHandler(pages: AdminPages): (request: Request) => Response | Promise<Response> {
  return (request) => {
    if (!isLocalName(request.headers.get("host")))
      return new Response("Ask for it by an IP address or as localhost\n", { status: 421 });
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("Only GET works here\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const { pathname } = new URL(request.url);
    const format = metricFormatFor(request.headers.get("accept") ?? "");
    switch (pathname) {
      case "/live":
        return new Response("live\n");
      case "/ready":
        return readiness(pages.ready());
      case "/metrics":
        return pages.gather === undefined
          ? metricsPage(pages.metrics.expose(format), format)
          : pages.gather().then(() => metricsPage(pages.metrics.expose(format), format));
      case "/config":
        return Response.json(pages.config());
      default:
        return (
          pages.more?.(pathname, format) ??
          new Response("Here are /ready /live /metrics /config\n", { status: 404 })
        );
    }
  };
}

export function metricsPage(text: string, format: MetricFormat): Response {
  return new Response(text, { headers: { "content-type": metricContentTypes[format], vary: "accept" } });
}

/**
 * A page in a browser of this machine reaches loopback too, by a name of its own that leads there: what it asks with is that
 * name. No Host is none of a browser.
 */
function isLocalName(host: string | null): boolean {
  if (host === null || host === "") return true;
  const name = host.replace(/:\d*$/, "");
  return name.toLowerCase() === "localhost" || /^\d{1,3}(?:\.\d{1,3}){3}$|^\[[0-9a-fA-F:.]+\]$/.test(name);
}

function readiness(tasks: Readonly<Record<string, boolean>>): Response {
  const lines = Object.entries(tasks).map(([name, done]) => `${done ? "done" : "waiting"} ${name}`);
  const ready = Object.values(tasks).every(Boolean);
  return new Response(`${ready ? "ready" : "not ready"}\n${lines.join("\n")}\n`, {
    status: ready ? 200 : 503,
  });
}
