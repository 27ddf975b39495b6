/** A host whose stdout and stderr a test reads. */
import type { ProcessHost } from "../../runtime/contract.ts";

export interface TerminalUnderTest {
  readonly host: Pick<ProcessHost, "stdout" | "stderr" | "env" | "terminal">;
  out(): string;
  err(): string;
}

export function terminalUnderTest(options: {
  readonly interactive?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}): TerminalUnderTest {
  const { interactive = false, env = {} } = options;
  let [out, err] = ["", ""];
  return {
    host: {
      stdout: (text) => void (out += text),
      stderr: (text) => void (err += text),
      env,
      terminal: { interactive, columns: 80, rows: 24, keys: () => ({ close() {} }) },
    },
    out: () => out,
    err: () => err,
  };
}
