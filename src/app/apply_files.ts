/**
 * The one way to find documents and policies: those of a file, or of a folder with all below it, as `apply` sends them and
 * as `validate` and `dev` read them. Nothing that lies there is passed over in silence but what is hidden, what packages bring
 * (node_modules/) and tests of policies.
 */
import type { Files } from "../../runtime/contract.ts";
import type { ApplyRequest } from "../api/document_messages.ts";
import type { ApiIssue } from "../api/messages.ts";
import { UserError } from "../base/user_error.ts";
import { parseYaml } from "../config/yaml_file.ts";
import { limits } from "../model/limits.ts";
import { splitMachines, type TextFile } from "./machine_files.ts";

export interface Gathered extends Pick<ApplyRequest, "files" | "policies"> {
  /** Where each policy's file lies, by the name that it is sent under. */
  readonly places: ReadonlyMap<string, string>;
  /** Tests of policies, named as policies are. Empty unless they were asked for. */
  readonly tests: readonly TextFile[];
}

export interface GatherOptions {
  /** There may be no document and no policy. */
  readonly empty?: boolean;
  /** Tests of policies are wanted, too. */
  readonly tests?: boolean;
  /** What names of documents in folders look like (default: .yaml and .yml). */
  readonly documents?: RegExp;
}

/** The path that means standard input. */
const standardInput = "-";
const policiesFolder = "policies";

/**
 * Every .yaml of the paths (`-`: what comes by standard input) and every policy in the policies/ folders beside them. Machine
 * documents are told apart by the caller. With `empty` there may be neither.
 */
export async function gatherFiles(
  files: Files,
  paths: readonly string[],
  { empty = false, tests = false, documents: names = /\.ya?ml$/ }: GatherOptions = {},
): Promise<Gathered> {
  const finds = new Finds(files, tests, names);
  for (const path of paths) await finds.add(path);
  const { documents, policies } = finds;
  if (documents.length + policies.size === 0 && !empty)
    throw new UserError(
      `Cannot use ${paths.join(", ")}: there is no document (.yaml) and no policy (policies/*.ts) in it`,
    );
  return {
    files: documents,
    policies: [...policies].map(([file, { text }]) => ({ file, text })),
    places: new Map([...policies, ...finds.tests].map(([file, { path }]) => [file, path])),
    tests: [...finds.tests].map(([file, { text }]) => ({ file, text })),
  };
}

/**
 * Without the Machine documents that stand among others, each of which is told: they stay on their machine. Where there is
 * nothing else, they go to the controller, which refuses them.
 */
export async function gatherForApply(
  files: Files,
  paths: readonly string[],
): Promise<Gathered & { readonly warnings: readonly ApiIssue[] }> {
  const found = await gatherFiles(files, paths);
  const { machines, documents } = splitMachines(found.files);
  if (machines.length === 0 || documents.length + found.policies.length === 0)
    return { ...found, warnings: [] };
  return { ...found, files: documents, warnings: machines.map(staysOnItsMachine) };
}

function staysOnItsMachine({ file, text }: TextFile): ApiIssue {
  const line = parseYaml(file, text).documents[0]?.place([]).line ?? 1;
  const message = "left out: a Machine document stays on its machine (heddle join --machine FILE)";
  return { file, line, column: 1, severity: "warning", message, code: "HED0161" };
}

/** What is wrong with policies, at the paths where people find their files. */
export function atTheirPlaces<Issue extends { readonly file: string }>(
  issues: readonly Issue[],
  { places }: Pick<Gathered, "places">,
): Issue[] {
  return issues.map((issue) => ({ ...issue, file: places.get(issue.file) ?? issue.file }));
}

class Finds {
  readonly documents: TextFile[] = [];
  /** By the name that it is sent under, which is relative to the path that was given. */
  readonly policies = new Map<string, { readonly path: string; readonly text: string }>();
  readonly tests: typeof this.policies = new Map();
  #names = 0;
  /** Of all texts, as they are sent. */
  #bytes = 0;

  constructor(
    private readonly files: Files,
    private readonly wantsTests: boolean,
    private readonly documentNames: RegExp,
  ) {}

  async add(path: string): Promise<void> {
    if (path === standardInput) {
      this.documents.push({ file: "stdin", text: await this.#input() });
      return;
    }
    const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
    const stat = await this.files.stat(trimmed);
    if (stat === null) throw new UserError(`Cannot read ${path}: there is no such file or folder`);
    if (stat.folder) return this.#addFolder(trimmed, "", 1);
    this.documents.push({ file: path, text: await this.#text(path) });
    const slash = trimmed.lastIndexOf("/");
    const folder = slash < 0 ? "." : trimmed.slice(0, Math.max(1, slash));
    await this.#addPolicies(`${folder}/${policiesFolder}`, policiesFolder, 1);
  }

  /** Its own documents before those below. `way` leads to it from the path that was given. */
  async #addFolder(path: string, way: string, depth: number): Promise<void> {
    const { names, folders } = await this.#look(path, depth);
    for (const name of names.filter((each) => this.documentNames.test(each)))
      this.documents.push({ file: `${path}/${name}`, text: await this.#text(`${path}/${name}`) });
    for (const name of folders) {
      if (name === policiesFolder) await this.#addPolicies(`${path}/${name}`, `${way}${name}`, depth + 1);
      else if (name !== "node_modules") await this.#addFolder(`${path}/${name}`, `${way}${name}/`, depth + 1);
    }
  }

  async #addPolicies(path: string, way: string, depth: number): Promise<void> {
    const { names, folders } = await this.#look(path, depth);
    for (const name of names.filter((each) => each.endsWith(".ts"))) {
      const [found, sentAs] = [`${path}/${name}`, `${way}/${name}`];
      const isTest = /[_.]test\.ts$/.test(name);
      if (isTest && !this.wantsTests) continue;
      const into = isTest ? this.tests : this.policies;
      const before = into.get(sentAs);
      if (before === undefined) into.set(sentAs, { path: found, text: await this.#text(found) });
      else if (before.path !== found)
        throw new UserError(
          `Cannot use both ${before.path} and ${found}: each would be ${sentAs}. Hand in one folder that holds both, or give one another name`,
        );
    }
    for (const name of folders) await this.#addPolicies(`${path}/${name}`, `${way}/${name}`, depth + 1);
  }

  /** What is in a folder, apart from what is hidden; nothing where there is none. */
  async #look(
    path: string,
    depth: number,
  ): Promise<{ readonly names: string[]; readonly folders: string[] }> {
    if (depth > limits.documentFoldersMax)
      throw new UserError(
        `Cannot look into ${path}: it lies ${limits.documentFoldersMax} folders deep (documentFoldersMax); does a link lead back to a folder above?`,
      );
    const all = (await this.files.list(path)).filter((name) => !name.startsWith("."));
    this.#names += all.length;
    if (this.#names > limits.documentNamesMax)
      throw new UserError(
        `Cannot look through ${path}: with it there are more than ${limits.documentNamesMax} files and folders (documentNamesMax). Name the folders that hold documents`,
      );
    const folders: string[] = [];
    for (const name of all)
      if ((await this.files.stat(`${path}/${name}`))?.folder === true) folders.push(name);
    return { names: all.filter((name) => !folders.includes(name)), folders };
  }

  async #input(): Promise<string> {
    const bytes = await this.files.readInput(fileBytesMax);
    if (bytes === null)
      throw new UserError(
        `Cannot read standard input: it has more than ${fileBytesMax} bytes (documentBytesMax)`,
      );
    return this.#counted("standard input", bytes);
  }

  /** What is far too long is not read to be refused. */
  async #text(path: string): Promise<string> {
    const size = (await this.files.stat(path))?.size ?? 0;
    if (size > fileBytesMax)
      throw new UserError(
        `Cannot read ${path}: it has ${size} bytes, more than ${fileBytesMax} (documentBytesMax)`,
      );
    const bytes = await this.files.read(path);
    if (bytes === null) throw new UserError(`Cannot read ${path}: there is no such file`);
    return this.#counted(path, bytes);
  }

  #counted(path: string, bytes: Uint8Array): string {
    const text = new TextDecoder().decode(bytes);
    this.#bytes += new TextEncoder().encode(JSON.stringify(text)).length;
    if (this.#bytes > limits.controlBodyBytesMax - besidesBytesMax)
      throw new UserError(
        `Cannot send ${path} too: with it the files come to more than ${limits.controlBodyBytesMax} bytes (controlBodyBytesMax). Apply them in several parts`,
      );
    return text;
  }
}

/** What stands in a body beside the texts: the names of the files. */
const besidesBytesMax = 1024 * 1024;

/** Of UTF-8: documentBytesMax counts characters where a document is read. */
const bytesPerCharacterMax = 4;
const fileBytesMax = limits.documentBytesMax * bytesPerCharacterMax;
