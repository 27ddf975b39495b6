/** `heddle policy push|rollout|promote|rollback|disable|enable|list|show`: the life of a policy in the mesh. */
import type { Command } from "commander";
import type { ControlClient } from "../../api/control.ts";
import { controllerPaths } from "../../api/messages.ts";
import type {
  PoliciesAnswer,
  PolicyRow,
  PolicyStep,
  PolicyStepAnswer,
  PolicyTrial,
} from "../../api/operator_messages.ts";
import { atTheirPlaces, type Gathered } from "../../app/apply_files.ts";
import { openOperator } from "../../app/operator.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";
import type { Cli } from "../command.ts";
import { applyGathered, showApplied, showIssues, tellRefusal } from "../documents_command.ts";
import type { Terminal } from "../terminal.ts";
import { text, type Text } from "../text.ts";
import type { SlowReading } from "../../model/trial.ts";

type By = "request" | "machine";

export function registerLife(policy: Command, cli: Cli): void {
  registerPush(policy, cli);
  registerRollout(policy, cli);
  registerStep(policy, cli, "promote", "put the version that is tried in force");
  const back = "take back the version that is tried; where none is, the one before comes back";
  registerStep(policy, cli, "rollback", back);
  registerStep(
    policy,
    cli,
    "disable",
    "leave a policy out everywhere, whatever documents say, until it is enabled",
  );
  registerStep(policy, cli, "enable", "ask a policy again that was disabled");
  registerList(policy, cli);
  registerShow(policy, cli);
}

interface PushFlags {
  readonly dryRun: boolean;
  readonly shadow: boolean;
  readonly percent?: string;
  readonly by: string;
}

function registerPush(policy: Command, cli: Cli): void {
  const command = policy
    .command("push")
    .description("hand policies to the mesh, without documents: in force at once, or tried beside what is")
    .argument("[dir]", "folder whose policies/ it is about, or a file in there", ".")
    .option(
      "--shadow",
      "only try it: ask it the same, compare what it says, and obey the version in force",
      false,
    )
    .option("--percent <n>", "only try it: for so many of a hundred requests")
    .option("--by <what>", "what counts with --percent: request, or machine", "request")
    .option("--dry-run", "only say what would change, and for which machines", false)
    .action(async (dir: string, flags: PushFlags) => {
      const terminal = cli.terminal(command);
      const { gatherPolicies } = await import("../../app/author_tools.ts");
      const found = await gatherPolicies(cli.runtime.files, dir);
      const tried = triedBy(flags);
      const operator = await openOperator(cli.runtime, cli.folder(command));
      try {
        if (tried !== null)
          return tell(terminal, await takeStep(operator, { ...tried, policies: found.policies }), found);
        const { dryRun } = flags;
        const answer = await applyGathered(operator, { ...found, files: [] }, { prune: false, dryRun });
        if (terminal.format === "json") terminal.json(answer);
        else showApplied(terminal, answer, dryRun);
      } catch (error) {
        tellRefusal(terminal, error, found);
      } finally {
        operator.close();
      }
    });
}

function triedBy({
  shadow,
  percent,
  by,
  dryRun,
}: PushFlags): Omit<Extract<PolicyStep, { do: "try" }>, "policies"> | null {
  if (!shadow && percent === undefined) return null;
  if (shadow && percent !== undefined)
    throw new UserError("Cannot use --shadow with --percent: a shadow sees every request, and none obeys it");
  if (dryRun)
    throw new UserError(
      "Cannot use --dry-run with --shadow or --percent: heddle policy check tells what is wrong",
    );
  const share = percent === undefined ? 0 : percentIn(percent);
  return { do: "try", mode: shadow ? "shadow" : "percent", percent: share, by: byIn(by) };
}

function registerRollout(policy: Command, cli: Cli): void {
  const command = policy
    .command("rollout")
    .description(
      "let the version that is tried decide for a share of requests; one that fails more often goes by itself",
    )
    .argument("<name>", "its name, as heddle policy list shows it")
    .requiredOption("--percent <n>", "of a hundred")
    .option("--by <what>", "what counts: request (the hash of its id), or machine", "request")
    .action(async (name: string, { percent, by }: { percent: string; by: string }) => {
      const step = { do: "share", name, percent: percentIn(percent), by: byIn(by) } as const;
      await run(cli, command, step);
    });
}

function registerStep(
  policy: Command,
  cli: Cli,
  step: "promote" | "rollback" | "disable" | "enable",
  description: string,
): void {
  const command = policy
    .command(step)
    .description(description)
    .argument("<name>", "its name, as heddle policy list shows it")
    .action((name: string) => run(cli, command, { do: step, name }));
}

async function run(cli: Cli, command: Command, step: PolicyStep): Promise<void> {
  const operator = await openOperator(cli.runtime, cli.folder(command));
  try {
    tell(cli.terminal(command), await takeStep(operator, step), null);
  } finally {
    operator.close();
  }
}

async function takeStep(operator: ControlClient, step: PolicyStep): Promise<PolicyStepAnswer> {
  const path = `${controllerPaths.policies}/steps`;
  return (await operator.call("POST", path, step, limits.controlApplyMs)).body as PolicyStepAnswer;
}

function tell(terminal: Terminal, answer: PolicyStepAnswer, found: Gathered | null): void {
  if (terminal.format === "json") return terminal.json(answer);
  showIssues(terminal, found === null ? answer.warnings : atTheirPlaces(answer.warnings, found));
  for (const { name, what, version, detail } of answer.events)
    terminal.line(`${name} ${version} ${what}${detail === "" ? "" : `: ${detail}`}`);
}

async function readRows(cli: Cli, command: Command): Promise<readonly PolicyRow[]> {
  const operator = await openOperator(cli.runtime, cli.folder(command));
  try {
    return ((await operator.call("GET", controllerPaths.policies)).body as PoliciesAnswer).policies;
  } finally {
    operator.close();
  }
}

function registerList(policy: Command, cli: Cli): void {
  const list = policy
    .command("list")
    .description("show the policies that stand, what is tried beside them, and which documents use them")
    .action(async () => {
      const terminal = cli.terminal(list);
      const policies = await readRows(cli, list);
      if (terminal.format === "json") return terminal.json(policies);
      if (policies.length === 0) return terminal.line("No policy stands; heddle apply hands some in");
      terminal.table(
        ["POLICY", "VERSION", "BUNDLE", "ON ERROR", "TRIED", "USED BY", "LAST"],
        policies.map((each) => [
          each.name,
          each.version,
          each.hash.slice(0, 8),
          each.disabled ? terminal.paint.yellow("disabled") : each.onError,
          each.trial === null ? "" : trialText(each.trial),
          usersText(terminal, each),
          lastText(each),
        ]),
      );
    });
}

function usersText(terminal: Terminal, { usedBy, shipped }: PolicyRow): Text {
  if (usedBy.length > 0) return usedBy.join(", ");
  return terminal.paint.dim(shipped ? "ships with heddle" : "nothing");
}

function lastText({ events }: PolicyRow): string {
  const last = events.at(-1);
  return last === undefined ? "" : `${last.version} ${last.what} by ${last.by}`;
}

function trialText({ version, mode, percent }: PolicyTrial): string {
  return `${version} ${mode === "shadow" ? "as a shadow" : `${percent} %`}`;
}

function registerShow(policy: Command, cli: Cli): void {
  const show = policy
    .command("show")
    .description("show a policy: its versions, how the one that is tried does, and what happened to it")
    .argument("<name>", "its name, as heddle policy list shows it")
    .action(async (name: string) => {
      const terminal = cli.terminal(show);
      const row = (await readRows(cli, show)).find((each) => each.name === name);
      if (row === undefined)
        throw new UserError(`There is no policy "${name}"`, "heddle policy list shows those that stand", 1);
      if (terminal.format === "json") return terminal.json(row);
      terminal.line(`${row.name} ${row.version}, bundle ${row.hash.slice(0, 8)}, fails ${row.onError}`);
      if (row.disabled) terminal.line(terminal.paint.yellow("disabled: nobody asks it"));
      if (row.before !== null)
        terminal.line(`before: ${row.before.version}, bundle ${row.before.hash.slice(0, 8)}`);
      terminal.line(`used by: ${row.usedBy.join(", ") || "nothing"}`);
      if (row.trial !== null) showTrial(terminal, row.trial);
      for (const { atMs, by, what, version, detail } of row.events)
        terminal.line(
          text`${terminal.paint.dim(new Date(atMs).toISOString())} ${version} ${what} by ${by}${detail === "" ? "" : `: ${detail}`}`,
        );
    });
}

function showTrial(terminal: Terminal, trial: PolicyTrial): void {
  const { hash, reading, startedBy } = trial;
  terminal.line(`tried: ${trialText(trial)}, bundle ${hash.slice(0, 8)}, begun by ${startedBy}`);
  if (reading === null) return terminal.line("  no machine has told of it yet");
  const { now, before, agreed, differed, differences } = reading;
  if (trial.mode === "percent") {
    terminal.line(
      `  ${now.failed} of ${now.calls} of its exchanges failed, ${before.failed} of ${before.calls} of the version in force`,
    );
    showSlow(terminal, reading.late, "of its answers came after");
    showSlow(terminal, reading.costly, "of its calls ran for");
  } else terminal.line(`  ${differed} of ${agreed + differed} answers differ (in force / tried)`);
  const sorted = [...differences].sort((one, other) => other.count - one.count);
  for (const { what, count } of sorted) terminal.line(`  ${count}  ${what}`);
}

function showSlow(terminal: Terminal, slow: SlowReading | undefined, what: string): void {
  if (slow === undefined) return;
  const { us, now, before } = slow;
  const ms = Number((us / 1_000).toFixed(1));
  terminal.line(
    `  ${now.failed} of ${now.calls} ${what} ${ms} ms or more, ${before.failed} of ${before.calls} of the version in force`,
  );
}

function percentIn(given: string): number {
  const value = /^\d{1,3}(?:\.\d{1,4})?$/.test(given) ? Number(given) : Number.NaN;
  if (value > 0 && value <= 100) return value;
  throw new UserError(`Cannot use --percent "${given}": expected a number above 0, up to 100`);
}

function byIn(given: string): By {
  if (given === "request" || given === "machine") return given;
  throw new UserError(`Cannot use --by "${given}": expected request or machine`);
}
