/** The pages of the dashboard, bundled into the binary when it is compiled. */
import { bundle, embed } from "../../compile/embed.ts" with { type: "macro" };
import type { Assets } from "../admin/page_door.ts";

export const dashboardAssets: Assets = {
  "/": { type: "text/html; charset=utf-8", text: embed("src/dashboard/page.html") },
  "/page.js": { type: "text/javascript; charset=utf-8", text: bundle("src/dashboard/main.ts") },
  "/uplot.js": { type: "text/javascript; charset=utf-8", text: embed("uplot/dist/uPlot.iife.min.js") },
  "/page.css": { type: "text/css; charset=utf-8", text: bundle("src/dashboard/page.css") },
  "/icon.svg": { type: "image/svg+xml", text: embed("src/dashboard/icon.svg") },
};
