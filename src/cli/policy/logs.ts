/** `heddle policy logs`: what a policy logs in the proxies of the mesh, as it comes. */
import type { Command } from "commander";
import { ask } from "../../app/asking.ts";
import { openOperator } from "../../app/operator.ts";
import type { PolicyLogLine } from "../../model/recording.ts";
import { repeated, type Cli } from "../command.ts";
import type { Terminal } from "../terminal.ts";
import { text } from "../text.ts";

interface LogFlags {
  readonly machine?: readonly string[];
  readonly count?: string;
}

export function registerLogs(policy: Command, cli: Cli): void {
  const command = policy
    .command("logs")
    .description("show what a policy logs, and each of its failures, as they come, until Ctrl-C")
    .argument("<name>", "its name, as heddle policy list shows it")
    .option(
      "-f, --follow",
      "go on until Ctrl-C, as it does in any case: what was before is in the logs of the proxies",
      true,
    )
    .option("--count <n>", "end after so many")
    .option("--machine <name>", "of this machine's proxy (repeat for more)", repeated)
    .action(async (name: string, { machine, count }: LogFlags) => {
      const terminal = cli.terminal(command);
      const { process } = cli.runtime;
      const operator = await openOperator(cli.runtime, cli.folder(command));
      const enough = new Promise<void>((resolve) => {
        process.onSignal("SIGINT", resolve);
        process.onSignal("SIGTERM", resolve);
      });
      let left = count === undefined ? Infinity : Math.max(1, Math.floor(Number(count) || 1));
      const request = {
        question: { what: "policy-log" as const, name },
        machines: machine === undefined ? null : [...machine],
      };
      const line = (told: Parameters<Parameters<typeof ask>[2]["line"]>[0]): boolean => {
        if (told.kind !== "line") return true;
        show(terminal, told.machine, told.line as PolicyLogLine);
        return --left > 0;
      };
      try {
        await ask(operator, request, { line }, enough);
      } finally {
        operator.close();
      }
      // Whoever listens for signals would go on.
      process.exit(0);
    });
}

function show(terminal: Terminal, machine: string, line: PolicyLogLine): void {
  if (terminal.format === "json") return terminal.jsonLine({ machine, ...line });
  const { atMs, requestId, service, bundle, level, message } = line;
  const { dim, red, yellow } = terminal.paint;
  const paint = level === "error" ? red : level === "warn" ? yellow : dim;
  const when = new Date(atMs).toISOString();
  terminal.line(
    text`${dim(when)} ${machine} ${service} ${bundle} ${paint(level)} ${message} ${dim(requestId)}`,
  );
}
