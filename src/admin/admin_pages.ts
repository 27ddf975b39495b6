/** The admin pages of a mode: `/ready /live /metrics /config`, read-only, without secrets, on loopback. */
import type { Metrics } from "../telemetry/metrics.ts";

export interface AdminPages {
  /** Named tasks that must be done before the mode is ready; false: not yet. */
  readonly ready: () => Readonly<Record<string, boolean>>;
  readonly metrics: Metrics;
  /** What is in force, for people. */
  readonly config: () => unknown;
}

export function adminHandler(pages: AdminPages): (request: Request) => Response {
  return (request) => {
    if (!isLocalName(request.headers.get("host")))
      return new Response("Ask for it by an IP address or as localhost\n", { status: 421 });
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("Only GET works here\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    switch (new URL(request.url).pathname) {
      case "/live":
        return new Response("live\n");
      case "/ready":
        return readiness(pages.ready());
      case "/metrics":
        return new Response(pages.metrics.expose(), {
          headers: { "content-type": "text/plain; version=0.0.4" },
        });
      case "/config":
        return Response.json(pages.config());
      default:
        return new Response("Here are /ready /live /metrics /config\n", { status: 404 });
    }
  };
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
