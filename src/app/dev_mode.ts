/**
 * `heddle dev`: a whole mesh in one process and a temporary folder. Machine documents, wherever they stand in its folder, are
 * proxies; everything else is applied. Both follow what is saved there, and what is broken waits for its repair.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { ControlRefusal, type ControlClient } from "../api/control.ts";
import type { ApplyAnswer } from "../api/document_messages.ts";
import { controllerPaths, type ApiIssue } from "../api/messages.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { atTheirPlaces } from "./apply_files.ts";
import { checkTypes } from "./author_tools.ts";
import { dashboardSession, linkOf } from "./dashboard_link.ts";
import { DevFolder, type FolderContent } from "./dev_folder.ts";
import { DevMachines, planMachines, type PlannedMachine } from "./dev_machines.ts";
import { readDocuments } from "./operator_lists.ts";
import type { RunningProxy } from "./proxy_mode.ts";

/** What was said on the command line. */
export interface DevOptions {
  /** Event loops of each machine; from 2 on in processes of their own. */
  readonly shards: number | "auto";
}

export interface DevVoice {
  readonly said: (text: string) => void;
  readonly issues: (issues: readonly ApiIssue[]) => void;
}

export async function startDev(
  runtime: Runtime,
  path: string,
  voice: DevVoice,
  { shards }: DevOptions,
): Promise<RunningProxy> {
  const root = `/tmp/heddle-dev-${runtime.process.pid}`;
  const folder = new DevFolder(runtime, path);
  const content = await soundContent(folder, voice);
  const machines = new DevMachines(runtime, root, voice.said, shards);
  const close = async (deadlineMs: number): Promise<void> => {
    folder.close();
    await machines.close(deadlineMs);
    await runtime.files.remove(root);
  };
  try {
    await machines.begin(planMachines(content.machines));
    await apply(machines.operator, content, voice, true);
  } catch (error) {
    await close(0);
    throw error;
  }
  const types = new TypesOnSave(runtime, voice);
  types.look(content);
  void follow(folder, machines, voice, types);
  return {
    summary: [...machines.summaries, `watching ${path}`].join("\n"),
    examples: [...machines.examples, ...(await dashboardLines(machines, root, runtime.process.called))],
    waitsFor: () => [],
    status: () => `watching ${path}`,
    close,
  };
}

/** None where its port is taken: the controller has told that. */
async function dashboardLines(
  { operator }: DevMachines,
  root: string,
  program: string,
): Promise<readonly string[]> {
  const session = await dashboardSession(operator).catch(() => null);
  const again = `${program} --state ${root}/0 dashboard`;
  return session === null ? [] : [`dashboard:  ${linkOf(session)}  (works once; another: ${again})`];
}

/** Once every Machine document can be used: without them there is nothing to run. */
async function soundContent(folder: DevFolder, voice: DevVoice): Promise<FolderContent> {
  let content = await folder.read();
  const { machines, documents, policies } = content;
  if (machines.length + documents.length + policies.length === 0)
    throw new UserError(`Cannot run ${folder.path}: there is no .yaml file in it`);
  while (planOf(content, voice) === null) {
    voice.said("Waiting until that is mended");
    content = await folder.changed();
  }
  return content;
}

/** null, once it is told why, where a Machine document cannot be used. */
function planOf({ machines }: FolderContent, voice: DevVoice): readonly PlannedMachine[] | null {
  try {
    return planMachines(machines);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    for (const line of error.message.split("\n")) voice.said(line);
    return null;
  }
}

/** For ever: `changed` never resolves once the folder is closed. */
async function follow(
  folder: DevFolder,
  machines: DevMachines,
  voice: DevVoice,
  types: TypesOnSave,
): Promise<never> {
  for (;;) {
    const content = await folder.changed();
    const planned = planOf(content, voice);
    if (planned === null) voice.said("The machines go on as they were");
    else await machines.follow(planned);
    await apply(machines.operator, content, voice, false).catch((error: Error) =>
      voice.said(`Cannot apply: ${error.message}`),
    );
    types.look(content);
  }
}

/** What is wrong is told, and what stood before goes on. */
async function apply(
  operator: ControlClient,
  content: FolderContent,
  voice: DevVoice,
  first: boolean,
): Promise<void> {
  const { documents, policies } = content;
  try {
    const answer =
      documents.length === 0 ? await removeAll(operator) : await applyAll(operator, documents, policies);
    const changed = answer.changes.filter((each) => each.change !== "unchanged");
    voice.issues(atTheirPlaces(answer.warnings, content));
    for (const each of changed) voice.said(`${each.change} ${each.kind} ${each.name}`);
    if (changed.length === 0 && !first) voice.said("Read again: all is well, nothing is different");
  } catch (error) {
    if (!(error instanceof ControlRefusal) || error.problem.issues === undefined) throw error;
    voice.issues(atTheirPlaces(error.problem.issues as readonly ApiIssue[], content));
    voice.said(first ? "Waiting until that is mended" : "Nothing was changed; what stood before goes on");
  }
}

/**
 * Types of policies, checked beside everything else whenever one of them is saved: what is wrong with them is told, and the policy goes
 * on, because types are not there when it runs.
 */
class TypesOnSave {
  #seen = "[]";
  #last: Promise<void> = Promise.resolve();

  constructor(
    private readonly runtime: Runtime,
    private readonly voice: DevVoice,
  ) {}

  look({ policies, places }: FolderContent): void {
    const seen = JSON.stringify(policies);
    if (seen === this.#seen || this.runtime.name !== "bun") return;
    this.#seen = seen;
    if (policies.length === 0) return;
    const check = async (): Promise<void> => {
      if (seen !== this.#seen) return;
      const issues = await checkTypes(this.runtime, { policies, tests: [] });
      // Something else was saved meanwhile, and is checked next.
      if (seen === this.#seen) this.voice.issues(atTheirPlaces(issues, { places }));
    };
    this.#last = this.#last
      .then(check)
      .catch((error: Error) => this.voice.said(`Cannot check types: ${error.message}`));
  }
}

async function applyAll(
  operator: ControlClient,
  files: FolderContent["documents"],
  policies: FolderContent["policies"],
): Promise<ApplyAnswer> {
  const body = { files, policies, prune: true, dryRun: false };
  const sent = operator.call("POST", controllerPaths.documents, body, limits.controlApplyMs);
  return (await sent).body as ApplyAnswer;
}

/** Where the last document went. */
async function removeAll(operator: ControlClient): Promise<Pick<ApplyAnswer, "changes" | "warnings">> {
  const { documents } = await readDocuments(operator);
  if (documents.length === 0) return { changes: [], warnings: [] };
  const names = documents.map(({ kind, namespace, name }) => ({ kind, namespace, name }));
  const body = { documents: names, policies: [], dryRun: false };
  const path = `${controllerPaths.documents}/remove`;
  return (await operator.call("POST", path, body, limits.controlApplyMs)).body as ApplyAnswer;
}
