/** A flood that stands ready beside the client, so that neither its start nor its end as a program is measured as one. */
import { bun } from "../../compile/repository.ts";
import type { FloodOptions, FloodResult } from "./flood.ts";
import { textOf } from "./load.ts";
import { loadCore } from "./stage.ts";

export interface PreparedFlood {
  begin(): void;
  end(): Promise<FloodResult>;
  /** Whatever it does; nothing when it ended. */
  kill(): void;
}

/**
 * It runs only when the backend and the client on its core are idle, and compiles nothing: what the kernel does for a program
 * holds up the others whatever its priority.
 */
export async function prepareFlood(options: FloodOptions): Promise<PreparedFlood> {
  const idle = ["env", "BUN_JSC_useJIT=0", "chrt", "--idle", "0", "taskset", "-c", String(loadCore)];
  const command = [...idle, bun, `${import.meta.dir}/flood.ts`, JSON.stringify(options)];
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const ready = Promise.withResolvers<void>();
  const said = textOf(child.stdout, ready.resolve);
  await Promise.race([ready.promise, child.exited]);
  return {
    begin() {
      child.stdin.write("begin\n");
      void child.stdin.flush();
    },
    async end() {
      await child.stdin.end();
      await child.exited;
      const text = await said;
      if (child.exitCode === 0) return JSON.parse(text.slice(text.indexOf("\n"))) as FloodResult;
      throw new Error(`${command.join(" ")} ended with ${child.exitCode ?? child.signalCode}: ${text}`);
    },
    kill: () => child.kill("SIGKILL"),
  };
}
