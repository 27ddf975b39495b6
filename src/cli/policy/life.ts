/** `heddle policy push|rollout|promote|rollback|disable|enable`: the life of a policy in the mesh. */
import type { Command } from "commander";
import type { ControlClient } from "../../api/control.ts";
import { controllerPaths } from "../../api/messages.ts";
import type { PolicyStep, PolicyStepAnswer } from "../../api/operator_messages.ts";
import { atTheirPlaces, type Gathered } from "../../app/apply_files.ts";
import { openOperator } from "../../app/operator.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";
import type { Cli } from "../command.ts";
import { applyGathered, showApplied, showIssues, tellRefusal } from "../documents_command.ts";
import type { Terminal } from "../terminal.ts";

type By = "request" | "machine";

export function registerLife(policy: Command, cli: Cli): void {
  registerPush(policy, cli);
  registerRollout(policy, cli);
  registerStep(policy, cli, "promote", "put the version that is tried in force");
  registerRollback(policy, cli);
  registerStep(
    policy,
    cli,
    "disable",
    "leave a policy out everywhere, whatever documents say, until it is enabled",
  );
  registerStep(policy, cli, "enable", "ask a policy again that was disabled");
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
    .option(
      "--hash <start>",
      "of another version that is kept: how its hash begins, as heddle policy show has it",
    )
    .action(async (name: string, { percent, by, hash }: { percent: string; by: string; hash?: string }) => {
      const share = { percent: percentIn(percent), by: byIn(by), ...hashIn("--hash", hash) };
      await run(cli, command, { do: "share", name, ...share });
    });
}

function registerRollback(policy: Command, cli: Cli): void {
  const command = policy
    .command("rollback")
    .description("take back the version that is tried; where none is, the one before comes back")
    .argument("<name>", "its name, as heddle policy list shows it")
    .option("--to <start>", "to this version: how its hash begins, as heddle policy show has it")
    .action((name: string, { to }: { to?: string }) =>
      run(cli, command, { do: "rollback", name, ...hashIn("--to", to) }),
    );
}

function hashIn(flag: string, given: string | undefined): { readonly hash?: string } {
  if (given === undefined) return {};
  const hash = given.toLowerCase();
  const least = limits.policyHashStartLengthMin;
  if (/^[0-9a-f]*$/.test(hash) && hash.length >= least && hash.length <= 64) return { hash };
  throw new UserError(
    `Cannot use ${flag} "${given}": expected the first ${least} or more hexadecimal digits of a hash`,
    "heddle policy show NAME shows the versions that are kept",
  );
}

function registerStep(
  policy: Command,
  cli: Cli,
  step: "promote" | "disable" | "enable",
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

function percentIn(given: string): number {
  const value = /^\d{1,3}(?:\.\d{1,4})?$/.test(given) ? Number(given) : Number.NaN;
  if (value > 0 && value <= 100) return value;
  throw new UserError(`Cannot use --percent "${given}": expected a number above 0, up to 100`);
}

function byIn(given: string): By {
  if (given === "request" || given === "machine") return given;
  throw new UserError(`Cannot use --by "${given}": expected request or machine`);
}
