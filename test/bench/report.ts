/**
 * The results as a file: a head that says how everything is measured, then one section per part, each with the conditions
 * that it was measured under. Sections of parts that were not measured this time stay as they are.
 */
import type { Conditions } from "./conditions.ts";
import { parts, titleOf } from "./options.ts";

export interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

const head = [
  "# Results of the bench",
  "",
  "Method: loopback; proxies pinned to one core, load and backends to the other; keep-alive; answers of 1 kB. CPU is what the",
  "clocks of all processes of a proxy (of a pair: both) say, clock_getcpuclockid(3), before and after a fixed amount of load. Every",
  "section has proxies of its own, of heddle as of the others. Figures are medians of interleaved rounds. Backends: nginx (HTTP/1.1),",
  "nghttpd (HTTP/2, gRPC), test/bench/stream_server.ts (TCP, events).",
  "Only ratios within one section carry over to another machine: sections may come from different runs.",
  "",
];

/** What `--against` says, behind the parts. */
export const againstTitle = "Today beside another commit";
/** What `npm run sim -- --write` says. */
export const simTitle = "Simulated fleets";
/** What `npm run fuzz -- --write` keeps behind all that. */
export const fuzzTitle = "Fuzzers";

/** Every section begins with its title and its conditions. */
export function renderSection({ title, lines }: Section, conditions: Conditions, versions: string): string {
  const { date, kernel, processor, memoryGb, loadBefore, bun, h2load, command } = conditions;
  return [
    `## ${title}`,
    "",
    `Written by \`${command}\` on ${date} UTC: ${processor}, ${memoryGb} GB, Linux ${kernel}, load ${loadBefore.toFixed(1)} before.`,
    `${versions}; h2load ${h2load}, Bun ${bun} for the other loads.`,
    "",
    ...lines,
  ].join("\n");
}

/** What a part wrote, as its second line says; others are of people. */
const written = /^Written by `/m;

/**
 * The whole file: `sections` by title, over those that `old` holds, in the order of the parts. What people wrote stays behind the
 * section that it stood behind; what a part wrote that is no more goes.
 */
export function mergeReport(old: string, sections: ReadonlyMap<string, string>): string {
  const kept = new Map(
    old
      .split(/^(?=## )/m)
      .filter((text) => text.startsWith("## "))
      .map((text) => [text.slice(3, text.indexOf("\n")), text.trimEnd()]),
  );
  const titles = [...parts.map(titleOf), againstTitle, simTitle, fuzzTitle];
  const order = [...kept.keys()];
  for (const [at, title] of order.entries()) {
    if (titles.includes(title) || written.test(kept.get(title) ?? "")) continue;
    const before = order[at - 1];
    titles.splice(before === undefined ? 0 : titles.indexOf(before) + 1 || titles.length, 0, title);
  }
  const texts = titles.flatMap((title) => sections.get(title)?.trimEnd() ?? kept.get(title) ?? []);
  return `${head.join("\n")}\n${texts.join("\n\n")}\n`;
}
