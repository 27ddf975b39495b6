/** `heddle policy list|show`: the policies of the mesh, all versions of them that are kept, and what happened to them. */
import type { Command } from "commander";
import { controllerPaths } from "../../api/messages.ts";
import type { PoliciesAnswer, PolicyRow, PolicyTrial, PolicyVersion } from "../../api/operator_messages.ts";
import { openOperator } from "../../app/operator.ts";
import { UserError } from "../../base/user_error.ts";
import type { SlowReading } from "../../model/trial.ts";
import type { Cli } from "../command.ts";
import type { Terminal } from "../terminal.ts";
import { text, type Text } from "../text.ts";

async function readRows(cli: Cli, command: Command): Promise<readonly PolicyRow[]> {
  const operator = await openOperator(cli.runtime, cli.folder(command));
  try {
    return ((await operator.call("GET", controllerPaths.policies)).body as PoliciesAnswer).policies;
  } finally {
    operator.close();
  }
}

export function registerShown(policy: Command, cli: Cli): void {
  registerList(policy, cli);
  registerShow(policy, cli);
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
        ["POLICY", "VERSION", "BUNDLE", "KEPT", "ON ERROR", "TRIED", "USED BY", "LAST"],
        policies.map((each) => [
          each.name,
          each.version,
          shortHash(each),
          `${each.versions?.length ?? ""}`,
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
      terminal.line(`${row.name} ${row.version}, bundle ${shortHash(row)}, fails ${row.onError}`);
      if (row.disabled) terminal.line(terminal.paint.yellow("disabled: nobody asks it"));
      terminal.line(`used by: ${row.usedBy.join(", ") || "nothing"}`);
      if (row.trial !== null) showTrial(terminal, row.trial);
      if (row.versions !== undefined) showVersions(terminal, row.versions, row.trial);
      for (const { atMs, by, what, version, detail } of row.events)
        terminal.line(
          text`${terminal.paint.dim(new Date(atMs).toISOString())} ${version} ${what} by ${by}${detail === "" ? "" : `: ${detail}`}`,
        );
    });
}

function showVersions(
  terminal: Terminal,
  versions: readonly PolicyVersion[],
  trial: PolicyTrial | null,
): void {
  terminal.table(
    ["VERSION", "BUNDLE", "SDK", "PUSHED", "BY", "STATE"],
    versions.map((each) => [
      each.version,
      shortHash(each),
      `api ${each.api}`,
      terminal.paint.dim(each.atMs === undefined ? "" : new Date(each.atMs).toISOString()),
      each.by ?? "",
      stateText(each, trial),
    ]),
  );
}

function stateText({ state, why = "" }: PolicyVersion, trial: PolicyTrial | null): string {
  if (state === "returned") return `returned: ${why}`;
  if (state === "shadow") return "tried as a shadow";
  return state === "share" && trial !== null ? `tried for ${trial.percent} % of ${trial.by}s` : state;
}

/** So much of it is enough for `--hash` and `--to`. */
function shortHash({ hash }: { readonly hash: string }): string {
  return hash.slice(0, 8);
}

function showTrial(terminal: Terminal, trial: PolicyTrial): void {
  const { reading, startedBy } = trial;
  terminal.line(`tried: ${trialText(trial)}, bundle ${shortHash(trial)}, begun by ${startedBy}`);
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
