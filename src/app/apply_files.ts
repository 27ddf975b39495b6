/** Documents of a folder or file, with the policies beside them, as `apply` sends them. */
import type { Files } from "../../runtime/contract.ts";
import type { ApplyRequest } from "../api/messages.ts";
import { UserError } from "../base/user_error.ts";

interface TextFile {
  readonly file: string;
  readonly text: string;
}

/** The path that means standard input. */
const standardInput = "-";

interface GatherOptions {
  /** Subfolders too. */
  readonly deep?: boolean;
  /** There may be no document. */
  readonly empty?: boolean;
}

/** Every .yaml of the paths (`-`: what comes by standard input), and every policy in a policies/ folder beside them. Machine documents are told apart by the caller. */
export async function gatherFiles(
  files: Files,
  paths: readonly string[],
  { deep = false, empty = false }: GatherOptions = {},
): Promise<Pick<ApplyRequest, "files" | "policies">> {
  const documents: TextFile[] = [];
  const policies = new Map<string, TextFile>();
  for (const path of paths) {
    if (path === standardInput) {
      documents.push({ file: "stdin", text: await textOf(files, "/dev/stdin") });
      continue;
    }
    const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
    const stat = await files.stat(trimmed);
    if (stat === null) throw new UserError(`Cannot read ${path}: there is no such file or folder`);
    const slash = trimmed.lastIndexOf("/");
    const folder = stat.folder ? trimmed : slash < 0 ? "." : trimmed.slice(0, slash);
    if (stat.folder) documents.push(...(await documentsIn(files, folder, deep)));
    else documents.push({ file: path, text: await textOf(files, path) });
    for (const policy of await textsIn(files, `${folder}/policies`, "policies", /(?<!_test|\.test)\.ts$/)) {
      if (!policies.has(policy.file)) policies.set(policy.file, policy);
    }
  }
  if (documents.length === 0 && !empty)
    throw new UserError(`Cannot apply ${paths.join(", ")}: there is no .yaml file in it`);
  return { files: documents, policies: [...policies.values()] };
}

/** Of subfolders too where that is asked for: all but hidden ones, policies/ and what packages bring. */
async function documentsIn(files: Files, folder: string, deep: boolean): Promise<TextFile[]> {
  const own = await textsIn(files, folder, folder, /\.ya?ml$/);
  if (!deep) return own;
  const names = (await files.list(folder)).filter((name) => !/^\.|^policies$|^node_modules$/.test(name));
  const below = names.map(async (name) => {
    const path = `${folder}/${name}`;
    return (await files.stat(path))?.folder === true ? await documentsIn(files, path, true) : [];
  });
  return [...own, ...(await Promise.all(below)).flat()];
}

async function textsIn(files: Files, folder: string, shown: string, pattern: RegExp): Promise<TextFile[]> {
  const names = (await files.list(folder)).filter((name) => pattern.test(name));
  return Promise.all(
    names.map(async (name) => ({ file: `${shown}/${name}`, text: await textOf(files, `${folder}/${name}`) })),
  );
}

async function textOf(files: Files, path: string): Promise<string> {
  const bytes = await files.read(path);
  if (bytes === null) throw new UserError(`Cannot read ${path}: there is no such file`);
  return new TextDecoder().decode(bytes);
}
