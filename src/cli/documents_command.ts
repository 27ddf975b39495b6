/** `heddle apply -f`, `heddle get`: what operators wrote, in and out. */
import type { Command } from "commander";
import type { ApplyAnswer, ApplyRequest, MachineChange } from "../api/document_messages.ts";
import { controllerPaths, type ApiIssue } from "../api/messages.ts";
import { atTheirPlaces, gatherForApply, type Gathered } from "../app/apply_files.ts";
import { openOperator } from "../app/operator.ts";
import { readDocuments } from "../app/operator_lists.ts";
import { printableLines } from "../base/printable.ts";
import { UserError } from "../base/user_error.ts";
import { appliedKinds } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { ControlRefusal, type ControlClient } from "../api/control.ts";
import { repeated, type Cli } from "./command.ts";
import type { Terminal } from "./terminal.ts";
import { text } from "./text.ts";
import { trafficInForce, type ValueInForce } from "./traffic_in_force.ts";

export function registerApply(program: Command, cli: Cli): void {
  const apply = program
    .command("apply")
    .description("hand documents to the mesh: all of them are checked together, and all or none take effect")
    .requiredOption(
      "-f, --file <path>",
      "a YAML file, or a folder with all below it, with their policies/ beside; - for standard input; repeat for more",
      repeated,
    )
    .option("--dry-run", "only say what would change, and for which machines", false)
    .option(
      "--prune",
      "delete standing documents that are not in these files, and policies that are not and that nothing uses",
      false,
    )
    .option(
      "--revision <number>",
      "refuse if what this would change was changed after that revision, as heddle diff names it",
      revisionFlag,
    )
    .action(async (flags: ApplyFlags) => {
      const terminal = cli.terminal(apply);
      const found = await gatherForApply(cli.runtime.files, flags.file);
      const operator = await openOperator(cli.runtime, cli.folder(apply));
      try {
        const made = await applyGathered(operator, found, flags);
        const answer = { ...made, warnings: [...found.warnings, ...made.warnings] };
        if (terminal.format === "json") terminal.json(answer);
        else showApplied(terminal, answer, flags.dryRun);
      } catch (error) {
        tellRefusal(terminal, error, found);
      } finally {
        operator.close();
      }
    });
}

interface ApplyFlags extends Pick<ApplyRequest, "prune" | "dryRun" | "revision"> {
  readonly file: readonly string[];
}

/** What it found is told at the paths where people find their files. */
export async function applyGathered(
  operator: ControlClient,
  found: Gathered,
  { prune, dryRun, revision }: Pick<ApplyRequest, "prune" | "dryRun" | "revision">,
): Promise<ApplyAnswer> {
  const { files, policies } = found;
  const body: ApplyRequest = {
    files,
    policies,
    prune,
    dryRun,
    ...(revision === undefined ? {} : { revision }),
  };
  const sent = operator.call("POST", controllerPaths.documents, body, limits.controlApplyMs);
  const made = (await sent).body as ApplyAnswer;
  return { ...made, warnings: atTheirPlaces(made.warnings, found) };
}

/** Why an apply was refused, at its places. */
export function tellRefusal(terminal: Terminal, error: unknown, found: Gathered): never {
  if (error instanceof ControlRefusal && error.status === 409)
    throw new UserError(`${error.problem.error}. Nothing was changed`, error.problem.hint ?? null, 1);
  if (!(error instanceof ControlRefusal) || error.problem.issues === undefined) throw error;
  const issues = atTheirPlaces(error.problem.issues as readonly ApiIssue[], found);
  if (terminal.format === "json") terminal.json({ issues });
  else showIssues(terminal, issues);
  throw new UserError(error.problem.error, "Nothing was changed", 1);
}

function revisionFlag(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UserError(`Cannot use --revision "${text}": expected a whole number, as heddle diff prints it`);
}

export function registerGet(program: Command, cli: Cli): void {
  const get = program
    .command("get")
    .description("print the documents that stand, as they were applied")
    .argument("[kind]", `${appliedKinds.join(", ")}; all when left out`)
    .argument("[name]", "name, or name.namespace")
    .option(
      "--effective",
      "of traffic and a service: each value that is in force, and where it comes from",
      false,
    )
    .action(async (kind: string | undefined, name: string | undefined, flags: { effective: boolean }) => {
      const terminal = cli.terminal(get);
      if (kind !== undefined) requireKind(kind);
      if (flags.effective && (kind?.toLowerCase() !== "traffic" || name === undefined))
        throw new UserError(
          "--effective is for the traffic of a service: heddle get traffic SERVICE --effective",
        );
      const operator = await openOperator(cli.runtime, cli.folder(get));
      const all = await readDocuments(operator);
      operator.close();
      if (flags.effective) return showInForce(terminal, trafficInForce(all.documents, name as string));
      const chosen = all.documents.filter(
        (each) =>
          (kind === undefined || each.kind.toLowerCase() === kind.toLowerCase()) &&
          (name === undefined || each.name === name || `${each.name}.${each.namespace}` === name),
      );
      if (chosen.length === 0 && name !== undefined)
        throw new UserError(`There is no ${kind} named "${name}"`, null, 1);
      if (terminal.format === "json") return terminal.json(chosen);
      if (chosen.length > 0) showDocuments(terminal, chosen.map((each) => each.text.trim()).join("\n---\n"));
      else terminal.problem(`No ${kind ?? "document"} stands; heddle apply -f FILE hands some in`);
    });
}

function showInForce(terminal: Terminal, values: readonly ValueInForce[]): void {
  if (terminal.format === "json") return terminal.json(values);
  terminal.table(
    ["FIELD", "VALUE", "FROM"],
    values.map(({ field, value, from }) => [field, String(value), from]),
  );
}

function showDocuments(terminal: Terminal, documents: string): void {
  terminal.lines(documents);
  if (printableLines(documents) !== documents.replaceAll("\r\n", "\n"))
    terminal.problem(
      "Not as it was applied: what would steer a terminal is shown by number; --output json is exact",
    );
}

export function requireKind(kind: string): void {
  if (appliedKinds.some((known) => known.toLowerCase() === kind.toLowerCase())) return;
  throw new UserError(`There is no kind "${kind}": expected ${appliedKinds.join(", ")}`);
}

export function showApplied(terminal: Terminal, answer: ApplyAnswer, dryRun: boolean): void {
  showIssues(terminal, answer.warnings);
  showChanges(terminal, answer.changes);
  const machines = answer.proxies.length === 0 ? "no machine" : answer.proxies.join(", ");
  if (!dryRun) return terminal.line(`Revision ${answer.revision}; it reaches ${machines}`);
  terminal.line(`Dry run: it would reach ${machines}`);
  showMachines(terminal, answer.machines ?? []);
}

export function showChanges(terminal: Terminal, changes: ApplyAnswer["changes"]): void {
  const { green, yellow, red, dim } = terminal.paint;
  const marks = { created: green("+"), changed: yellow("~"), deleted: red("-"), unchanged: dim("=") };
  for (const each of changes)
    terminal.line(text`${marks[each.change]} ${each.kind} ${each.name} ${dim(each.change)}`);
}

/** Those with the same changes together. */
export function showMachines(terminal: Terminal, machines: readonly MachineChange[]): void {
  for (const [changes, alike] of Map.groupBy(machines, (each) => each.changes.join("\n"))) {
    terminal.line(`  ${alike.map(({ node }) => node).join(", ")}`);
    for (const change of changes.split("\n")) terminal.line(terminal.paint.dim(`    ${change}`));
  }
}

export function showIssues(terminal: Terminal, issues: readonly ApiIssue[]): void {
  const { red, yellow } = terminal.paint;
  for (const issue of issues) {
    const word = issue.severity === "error" ? red("error") : yellow("warning");
    const code = issue.code === undefined ? "" : terminal.paint.dim(` (${issue.code})`);
    terminal.problem(text`${issue.file}:${issue.line}:${issue.column}: ${word}: ${issue.message}${code}`);
  }
}
