/** `heddle why`: one request explained, from what the proxies that saw it remember. */
import type { Command } from "commander";
import { ask } from "../app/asking.ts";
import { openOperator } from "../app/operator.ts";
import type { Question } from "../api/questions.ts";
import { UserError } from "../base/user_error.ts";
import type { RequestLine } from "../model/evidence.ts";
import { limits } from "../model/limits.ts";
import type { Cli } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";
import type { Terminal } from "./terminal.ts";
import { text } from "./text.ts";
import { Shown } from "./why/show.ts";
import { storyOf, type Seen } from "./why/story.ts";

/** What every machine answered. */
interface Answers<Line> {
  readonly lines: readonly (Line & { readonly machine: string })[];
  /** Machines that gave no whole answer, each with why. */
  readonly silent: readonly { readonly machine: string; readonly problem: string }[];
}

export function registerWhy(program: Command, cli: Cli): void {
  const command = program
    .command("why <request-id>")
    .description(
      "explain one request: its route, policies, endpoints, attempts and limits, and who is at fault",
    )
    .action(async (requestId: string) => {
      const terminal = cli.terminal(command);
      if (!/^[A-Za-z0-9._-]{1,128}$/.test(requestId))
        throw new UserError(
          `Cannot look for "${requestId}": expected a request id, as x-request-id of an answer and request_id of the access log have it`,
        );
      const { lines, silent } = await askAll<RequestLine>(cli, command, { what: "request", id: requestId });
      showRequest(terminal, requestId, lines, silent);
    });
}

function showRequest(
  terminal: Terminal,
  requestId: string,
  lines: readonly Seen[],
  silent: Answers<RequestLine>["silent"],
): void {
  const story = storyOf(lines);
  if (terminal.format === "json") terminal.json({ requestId, ...story, silent });
  if (lines.length === 0)
    throw new UserError(
      `No proxy that answered remembers the request ${requestId}${silentText(silent)}`,
      `Each remembers its last ${limits.evidenceRecordsMax} (evidenceRecordsMax) while it runs; the access log may have it: grep ${requestId}`,
      exitCodes.no,
    );
  if (terminal.format === "json") return;
  new Shown(terminal).story(requestId, story);
  for (const { machine, problem } of silent)
    terminal.problem(text`${terminal.paint.yellow("warning:")} ${machine} is not in it: ${problem}`);
}

function silentText(silent: Answers<RequestLine>["silent"]): string {
  return silent.map(({ machine, problem }) => `; ${machine} did not answer: ${problem}`).join("");
}

async function askAll<Line>(cli: Cli, command: Command, question: Question): Promise<Answers<Line>> {
  const operator = await openOperator(cli.runtime, cli.folder(command));
  const lines: (Line & { readonly machine: string })[] = [];
  const silent: { machine: string; problem: string }[] = [];
  try {
    await ask(
      operator,
      { question, machines: null },
      {
        line(line) {
          if (line.kind === "line") lines.push({ machine: line.machine, ...(line.line as Line) });
          if (line.kind === "end" && line.problem !== null)
            silent.push({ machine: line.machine, problem: line.problem });
          return true;
        },
      },
    );
  } finally {
    operator.close();
  }
  return { lines, silent };
}
