/** `heddle why`: one request explained, from what the proxies that saw it remember. */
import type { Command } from "commander";
import { ask } from "../app/asking.ts";
import { decideFromDisk, type DecideQuestion } from "../app/decide.ts";
import { openOperator } from "../app/operator.ts";
import type { Question } from "../api/questions.ts";
import { UserError } from "../base/user_error.ts";
import type { DecideLine, RequestLine } from "../model/evidence.ts";
import { limits } from "../model/limits.ts";
import { repeated, type Cli } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";
import type { Terminal } from "./terminal.ts";
import { text } from "./text.ts";
import { readAsked } from "./why/asked.ts";
import { hypothesisOf } from "./why/hypothesis.ts";
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
    .command("why <words...>")
    .description(
      "explain one request by its id, or what would become of one: heddle why web orders GET /v1/x; its route, policies, endpoints and limits, and who is at fault",
    )
    .option(
      "--header <field>",
      'of a request that has not happened: "x-user: beta" (repeat for more)',
      repeated,
    )
    .option("--offline", "from the last snapshot in the state folder of this machine, without asking anybody")
    .action(async (words: string[], flags: { header?: readonly string[]; offline?: boolean }) => {
      const terminal = cli.terminal(command);
      const asked = readAsked(words, flags.header ?? []);
      if (asked.what === "request") await whyRequest(cli, command, terminal, asked.id);
      else await whyDecided(cli, command, terminal, { question: asked, offline: flags.offline === true });
    });
}

async function whyRequest(cli: Cli, command: Command, terminal: Terminal, id: string): Promise<void> {
  const { lines, silent } = await askAll<RequestLine>(cli, command, { what: "request", id });
  showRequest(terminal, id, lines, silent);
}

async function whyDecided(
  cli: Cli,
  command: Command,
  terminal: Terminal,
  { question, offline }: { readonly question: DecideQuestion; readonly offline: boolean },
): Promise<void> {
  const { files, process } = cli.runtime;
  const folder = cli.folder(command);
  const mayAsk = process.env["HEDDLE_OPERATOR"] !== undefined || (await files.stat(folder.operator)) !== null;
  const { lines, silent } =
    offline || !mayAsk
      ? { lines: [await decideFromDisk(files, folder, question)], silent: [] }
      : await askAll<DecideLine>(cli, command, question);
  const hypothesis = hypothesisOf(question, lines);
  if (terminal.format === "json") terminal.json({ question, ...hypothesis, silent });
  else new Shown(terminal).hypothesis(question, hypothesis);
  if (terminal.format !== "json") showSilent(terminal, silent);
  if (hypothesis.verdict.flag !== null) process.exit(exitCodes.no);
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
  showSilent(terminal, silent);
}

function showSilent(terminal: Terminal, silent: Answers<unknown>["silent"]): void {
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
