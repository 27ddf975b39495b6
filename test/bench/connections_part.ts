/** What an idle mTLS connection costs the proxy that took it, in memory and for good. */
import { bun } from "../../compile/repository.ts";
import type { StartedHeddle } from "./heddle.ts";
import type { IdleConnectionsOptions, IdleConnectionsResult } from "./idle_connections.ts";
import type { BenchOptions } from "./options.ts";
import { loadCore, note } from "./stage.ts";
import { barTable } from "./tables.ts";
import { residentMb } from "./usage.ts";

const bytesBar = 25;
/** What a handshake left behind may be collected. */
const settleMs = 5_000;
const parallel = 32;

export async function measureConnections(heddle: StartedHeddle, options: BenchOptions): Promise<string[]> {
  const before = residentMb(heddle.far);
  const command = ["taskset", "-c", String(loadCore), bun, `${import.meta.dir}/idle_connections.ts`];
  // A connection is a descriptor; the usual soft limit is 1024.
  const raised = ["bash", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "bench", ...command];
  const child = Bun.spawn(raised, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  try {
    const wanted: IdleConnectionsOptions = { port: heddle.meshPort(), count: options.connections, parallel };
    child.stdin.write(`${JSON.stringify(wanted)}\n`);
    await child.stdin.flush();
    const { open, failed } = await resultOf(child.stdout);
    await Bun.sleep(settleMs);
    const after = residentMb(heddle.far);
    const each = ((after - before) * 1024) / open;
    note(`connections: ${open} open, ${failed} failed, RSS ${before.toFixed(1)} to ${after.toFixed(1)} MB`);
    if (failed > 0) throw new Error(`${failed} of ${options.connections} connections failed`);
    return [
      `${open} connections, HTTP/2 agreed on, no stream: RSS of the proxy grew from ${before.toFixed(1)} to ${after.toFixed(1)} MB, everything that grew with`,
      `the first of them included: ${each.toFixed(1)} kB each.`,
      "",
      ...barTable([{ title: "RSS per connection", wanted: bytesBar, measured: each, unit: " kB" }]),
    ];
  } finally {
    child.stdin.end();
    await child.exited;
  }
}

async function resultOf(stream: ReadableStream<Uint8Array>): Promise<IdleConnectionsResult> {
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    if (text.includes("\n")) return JSON.parse(text) as IdleConnectionsResult;
  }
  throw new Error("The process that opens connections ended without a word");
}
