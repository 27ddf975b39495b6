/**
 * Pages of a controller for whoever fetches metrics of the whole mesh from one place: `/v1/targets`, as Prometheus's HTTP service discovery
 * wants it, and the metrics of each machine. On loopback, as all admin pages: a Prometheus elsewhere comes by a tunnel.
 */
import type { AdminPages } from "../admin/admin_pages.ts";
import { metricsPage } from "../admin/admin_pages.ts";
import { Refusal } from "../api/problem.ts";
import { socketAddress } from "../base/socket_address.ts";
import { machineIn, type Scrape, type TargetGroup } from "../controller/scrape.ts";
import { adminPort, type Settings } from "./settings.ts";

export const targetsPath = "/v1/targets";

export function scrapePages(scrape: Scrape, settings: Settings): NonNullable<AdminPages["more"]> {
  return (path, format) => {
    if (path === targetsPath) return Promise.resolve(Response.json(targetsOf(scrape, settings)));
    const machine = machineIn(path);
    if (machine === null) return null;
    return scrape.metricsOf(machine, format).then(
      (text) => metricsPage(text, format),
      (error: unknown) => {
        if (!(error instanceof Refusal)) throw error;
        return new Response(`${error.message}\n`, { status: error.status });
      },
    );
  };
}

/** The controller itself, the registry where it runs beside it, and every proxy of the mesh. */
function targetsOf(scrape: Scrape, settings: Settings): TargetGroup[] {
  const { node, loopback, modes } = settings;
  const at = (mode: "controller" | "registry"): string => socketAddress(loopback, adminPort(settings, mode));
  const own = (["controller", "registry"] as const).filter((mode) => modes.includes(mode));
  return [
    ...own.map((mode) => ({
      targets: [at(mode)],
      labels: { instance: `${node} ${mode}`, heddle_mode: mode },
    })),
    ...scrape.targets(at("controller")),
  ];
}
