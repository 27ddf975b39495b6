/**
 * From the sources of a push to the scripts that proxies load, or to what is wrong, at file:line:col. All of it touches text
 * of authors, so it runs in the sealed compiler and nowhere else. Each file is checked by itself (author_module.ts); the kit
 * is ours and carried in the program. In the whole script at the end nothing may be used that neither file nor kit uses:
 * whatever the bundler did, its result is held against the same rules.
 */
import { failure, type Result, success } from "../base/result.ts";
import type { Bundler, BundleFile } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { checkModule, type AuthorModule } from "./author_module.ts";
import { kit } from "./kit.ts";
import { parseLinear } from "./linear_parser.ts";
import { placesStatement } from "./places.ts";
import { readMeta, type PolicyMeta } from "./policy_meta.ts";
import { policyIssue, pushIssues, type PolicyIssue, type PolicySource } from "./policy_source.ts";
import { checkScopes } from "./scope_check.ts";

export interface PolicyScript {
  /** The source that defines it. */
  readonly file: string;
  readonly text: string;
  readonly meta: PolicyMeta;
}

export interface BundleAnswer {
  /** None when there are issues. */
  readonly scripts: readonly PolicyScript[];
  readonly issues: readonly PolicyIssue[];
}

/** `begins` is told which source is worked on, before it is. */
export async function bundlePolicies(
  sources: readonly PolicySource[],
  bundler: Bundler,
  begins: (index: number) => void = () => {},
): Promise<BundleAnswer> {
  const issues: PolicyIssue[] = pushIssues(sources);
  if (issues.length > 0) return refused(issues);
  const files = new Set(sources.map((each) => each.file));
  const modules: AuthorModule[] = [];
  const metas = new Map<AuthorModule, PolicyMeta>();
  for (const [index, source] of sources.entries()) {
    begins(index);
    const { module, issues: found } = await checkModule(source, files, bundler);
    issues.push(...found);
    if (module === null) continue;
    modules.push(module);
    const meta = readMeta(module.program);
    if (meta === null) continue;
    if (meta.problem !== null) issues.push(module.issueAt(meta.problem));
    else metas.set(module, meta.meta);
  }
  issues.push(...twice(metas));
  if (issues.length > 0) return refused(issues);
  const scripts: PolicyScript[] = [];
  for (const [module, meta] of metas) {
    begins(sources.findIndex((each) => each.file === module.file));
    const made = await scriptOf(module.file, meta, modules, bundler);
    if (made.ok) scripts.push({ file: module.file, text: made.value, meta });
    else issues.push(policyIssue(module.file, 1, 1, made.problem));
  }
  return issues.length > 0 ? refused(issues) : { scripts, issues };
}

function refused(issues: readonly PolicyIssue[]): BundleAnswer {
  return { scripts: [], issues: issues.slice(0, limits.policyIssuesMax).map(short) };
}

function short(issue: PolicyIssue): PolicyIssue {
  return { ...issue, message: issue.message.slice(0, limits.policyIssueLengthMax) };
}

/** Documents know a policy by its name. */
function twice(metas: ReadonlyMap<AuthorModule, PolicyMeta>): PolicyIssue[] {
  const first = new Map<string, string>();
  return [...metas].flatMap(([{ file }, { name }]): PolicyIssue[] => {
    const other = first.get(name);
    if (other === undefined) first.set(name, file);
    return other === undefined
      ? []
      : [policyIssue(file, 1, 1, `The policy "${name}" is defined in ${other} too`)];
  });
}

/** One classic script of the policy, what it imports and the kit; or what is wrong with it. */
async function scriptOf(
  file: string,
  meta: PolicyMeta,
  modules: readonly AuthorModule[],
  bundler: Bundler,
): Promise<Result<string>> {
  const own = Object.fromEntries(modules.map((each) => [each.file, each.text]));
  const files: Readonly<Record<string, BundleFile>> = kit.filesFor(file, meta, own);
  const { text, map, problems } = await bundler.bundle({ files, entry: kit.entry, names: kit.names });
  const [problem] = problems;
  if (text === null || problem !== undefined)
    return failure(problem?.message ?? "The bundler gave no script and no reason");
  const script = `${strict}${text}${placesIn(map, modules)}`;
  const bytes = storedBytes(script);
  if (bytes > limits.policyBundleBytesMax)
    return failure(`The bundle is stored as ${bytes} bytes, more than ${limits.policyBundleBytesMax}`);
  try {
    const [finding] = checkScopes(parseLinear(text, "script").program, 1, kit.uses);
    return finding === undefined ? success(script) : failure(`In its bundle: ${finding.message}`);
  } catch (error) {
    return failure(`Cannot read its bundle: ${String(error)}`);
  }
}

/** As it stands in the registry and travels in frames: in UTF-8, some characters escaped. */
function storedBytes(script: string): number {
  return new TextEncoder().encode(JSON.stringify(script)).length;
}

const strict = '"use strict";';

/** The table by which the policy tells where it failed. */
function placesIn(map: string, modules: readonly AuthorModule[]): string {
  const byFile = new Map(modules.map((each) => [each.file, each]));
  return placesStatement(map, strict.length, (source, place) => {
    const file = kit.authorFile(source);
    const written = file === null ? undefined : byFile.get(file)?.writtenAt(place);
    return file === null || written === undefined || written === null ? null : { file, ...written };
  });
}
