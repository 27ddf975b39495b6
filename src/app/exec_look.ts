/** Asks a program of this machine whether an app is well: it ends with 0 while it is. */
import type { ProcessHost } from "../../runtime/contract.ts";
import { problemOf } from "../base/result.ts";
import { limits } from "../model/limits.ts";
import type { Look } from "../proxy/upstream/probe.ts";

/**
 * `command`: the program and its arguments, which no shell reads. It runs as this process does, in its sandbox, with a PATH and nothing
 * else in its environment. What does not end in time is ended with all that it started. The first line of what it says is told where it
 * ends with something else than 0.
 */
export function execLook(process: Pick<ProcessHost, "spawn" | "env">, command: readonly string[]): Look {
  return (tell) => {
    let said = "";
    try {
      const child = process.spawn({
        command,
        group: true,
        env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
        output: (text) => (said = (said + text).slice(0, limits.probeSaidMax)),
        exited: (code, signal) => tell(code === 0 ? null : endOf(command, code, signal, said)),
      });
      return { destroy: () => child.kill("SIGKILL") };
    } catch (error) {
      tell(problemOf(error));
      return { destroy() {} };
    }
  };
}

function endOf(
  [program = ""]: readonly string[],
  code: number | null,
  signal: string | null,
  said: string,
): string {
  const how = code === null ? `was ended by ${signal}` : `ended with ${code}`;
  const first = said.trim().split("\n", 1)[0] ?? "";
  return first === "" ? `${program} ${how}` : `${program} ${how}: ${first}`;
}
