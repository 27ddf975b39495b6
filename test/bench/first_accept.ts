/** How long a proxy needs from its start until its listener takes a connection. */
import type { MeshProcess } from "../support/mesh_process.ts";
import { accepts } from "../support/processes.ts";

/** Starts it (it must not run); milliseconds until the first connection was accepted. Returns when it is ready. */
export async function firstAccept(process: MeshProcess, host: string, port: number): Promise<number> {
  const started = performance.now();
  const ready = process.start();
  let takenMs = Number.NaN;
  while (Number.isNaN(takenMs) && performance.now() - started < 10_000) {
    if (await accepts(host, port)) takenMs = performance.now() - started;
    else await Bun.sleep(1);
  }
  await ready;
  return takenMs;
}
