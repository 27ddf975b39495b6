/** Commands of the machine: run to their end, with the little environment that they need, in the language of their authors. */
import type { ProcessHost } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";

interface CommandAnswer {
  readonly code: number | null;
  /** Both streams, as they came. */
  readonly output: string;
}

type Host = Pick<ProcessHost, "spawn" | "env">;

/** Where commands are when the PATH of whoever started this leaves them out, as it does for users. */
const folders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const passedOn = ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "HOME"] as const;

/** How it ended. Throws a UserError when there is no such command. */
export async function tryCommand(host: Host, command: readonly string[]): Promise<CommandAnswer> {
  const kept = passedOn.flatMap((name) => {
    const value = host.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const env = { PATH: `${host.env["PATH"] ?? ""}:${folders}`, LC_ALL: "C", ...Object.fromEntries(kept) };
  return await new Promise((done, failed) => {
    let output = "";
    try {
      host.spawn({
        command,
        env,
        output: (text) => (output += text),
        exited: (code) => done({ code, output }),
      });
    } catch (error) {
      failed(new UserError(`Cannot run ${command.join(" ")}: ${(error as Error).message}`));
    }
  });
}

/** What it printed. Throws a UserError with that when it failed: with a code that is neither 0 nor among those that are fine. */
export async function runCommand(
  host: Host,
  command: readonly string[],
  fine: readonly number[] = [],
): Promise<string> {
  const { code, output } = await tryCommand(host, command);
  if (code !== null && [0, ...fine].includes(code)) return output;
  const said = output.trim() === "" ? `it ended with ${code ?? "a signal"}` : output.trim();
  throw new UserError(`Cannot run ${command.join(" ")}: ${said}`);
}
