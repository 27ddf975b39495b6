/** Under what circumstances numbers were taken: without them they mean nothing. */
import { cpus, loadavg, release, totalmem } from "node:os";
import { runProgram } from "../support/processes.ts";

export interface Conditions {
  readonly date: string;
  readonly kernel: string;
  readonly processor: string;
  readonly memoryGb: number;
  readonly loadBefore: number;
  readonly bun: string;
  readonly h2load: string;
  readonly command: string;
}

export function conditions(args: readonly string[]): Conditions {
  const found = cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    kernel: release(),
    processor: `${found.length} × ${found[0]?.model ?? "?"}`,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    loadBefore: loadavg()[0] ?? 0,
    bun: Bun.version,
    h2load: /nghttp2\/(\S+)/.exec(runProgram(["h2load", "--version"]))?.[1] ?? "?",
    command: ["npm run bench --", ...args].join(" "),
  };
}
