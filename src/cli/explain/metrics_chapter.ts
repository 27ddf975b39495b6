/** Metrics, from the table that declares them. */
import { families } from "../../telemetry/families.ts";
import type { Chapter, Entry } from "./chapter.ts";

export const metricsChapter: Chapter = {
  name: "metrics",
  title: "What /metrics of proxy, controller and registry shows",
  intro: [
    "Prometheus text at 127.0.0.1:9464 (proxy), 9465 (controller) and 9466 (registry). `peer` is the service on the other side, from its verified identity; names beyond a bound share the label `other`.",
  ],
  entries: Object.values(families).map(({ kind, name, help, labels, bounds }): Entry => {
    const facts: [string, string][] = [["type", kind]];
    if (labels.length > 0) facts.push(["labels", labels.join(", ")]);
    if (bounds.length > 0) facts.push(["buckets", bounds.join(", ")]);
    return { name, summary: help.replace(/\.$/, ""), facts, code: "" };
  }),
};
