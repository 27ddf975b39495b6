/** Documents and policies of a folder, checked as a controller would that has nothing yet. */
import type { Runtime } from "../../runtime/contract.ts";
import type { ApiIssue } from "../api/messages.ts";
import { Refusal } from "../api/problem.ts";
import { Catalog } from "../controller/catalog.ts";
import { DocumentService } from "../controller/documents.ts";
import { createPolicyBundler } from "../controller/policies.ts";
import type { StateStore } from "../controller/state_store.ts";
import { UserError } from "../base/user_error.ts";
import { loadMachine } from "../config/load.ts";
import { atTheirPlaces, gatherFiles } from "./apply_files.ts";
import { splitMachines } from "./machine_files.ts";

export interface Validated {
  readonly issues: readonly ApiIssue[];
  readonly errors: number;
  /** `Service web`: what was checked. */
  readonly documents: readonly string[];
}

export async function validateFiles(runtime: Runtime, paths: readonly string[]): Promise<Validated> {
  const gathered = await gatherFiles(runtime.files, paths);
  const { machines, documents } = splitMachines(gathered.files);
  const found = machines.map(({ file, text }) => loadMachine(file, text));
  const issues: ApiIssue[] = found.flatMap((each) => each.issues);
  const checked = found.flatMap(({ machine }) => (machine === null ? [] : [`Machine ${machine.name}`]));
  const instances = found.flatMap(({ machine }) => machine?.services ?? []);
  const bundler = createPolicyBundler(runtime);
  const service = new DocumentService({
    catalog: new Catalog(),
    store: nothingStands,
    bundler,
    instances: () => instances,
    affected: () => [],
    fit: { requireFor: () => {} },
    settled: async () => {},
    wallMs: () => runtime.clock.wallMs(),
  });
  try {
    const request = { files: documents, policies: gathered.policies, prune: true, dryRun: true };
    const { changes, warnings } = await service.apply(request, "");
    issues.push(...atTheirPlaces(warnings, gathered));
    checked.push(...changes.map(({ kind, name }) => `${kind} ${name}`));
  } catch (error) {
    if (!(error instanceof Refusal) || error.issues === null) throw error;
    issues.push(...atTheirPlaces(error.issues, gathered));
  } finally {
    bundler.close();
  }
  if (checked.length + issues.length === 0)
    throw new UserError(
      `There is nothing to check in ${paths.join(", ")}: the files hold no document and no policy`,
      null,
      1,
    );
  const errors = issues.filter(({ severity }) => severity === "error").length;
  return { issues, errors, documents: checked };
}

/** Nothing is ever written by a dry run. */
const nothingStands: StateStore = {
  get: async () => null,
  range: async () => ({ entries: [], revision: 0 }),
  commit: async () => ({ ok: false, revision: 0 }),
};
