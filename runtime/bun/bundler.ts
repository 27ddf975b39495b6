/**
 * Bundling by Bun.build, in memory, macros off. `root` is a folder that can be read under every seal; nothing in it is
 * looked at.
 */
import { dirname, resolve } from "node:path";
import type {
  BundleFile,
  BundleOptions,
  BundleProblem,
  BundleResult,
  Bundler,
  ModuleImports,
} from "../contract.ts";

const space = "memory";
const root = "/proc/self";
/** The compiler's comment about itself, which is no part of the program. */
const debugComment = /\n*\/\/# debugId=\w+\s*$/;

interface Resolution {
  readonly path: string;
  readonly namespace?: string;
  readonly external?: boolean;
}

type Resolver = (found: {
  readonly path: string;
  readonly importer: string;
  readonly kind: string;
}) => Resolution;

/** Modules come from memory alone, and where an import leads is the resolver's word. */
function inMemory(files: Readonly<Record<string, BundleFile>>, resolver: Resolver): Bun.BunPlugin {
  return {
    name: space,
    setup(build) {
      build.onResolve({ filter: /.*/ }, (found): Resolution => {
        if (found.kind === "entry-point-build") return { path: found.path, namespace: space };
        return resolver(found);
      });
      build.onLoad({ filter: /.*/, namespace: space }, ({ path }) => {
        const { text, language } = files[path] ?? { text: "", language: "js" };
        return { contents: text, loader: language };
      });
      build.onLoad({ filter: /.*/, namespace: "refused" }, () => ({ contents: "export {}", loader: "js" }));
    },
  };
}

/** Resolves by the list; what is not on it becomes a problem. */
function listed(options: BundleOptions, problems: BundleProblem[]): Resolver {
  return ({ path, importer, kind }) => {
    const target = path.startsWith(".") ? resolve(dirname(importer), path) : options.names[path];
    if (kind === "import-statement" && target !== undefined && Object.hasOwn(options.files, target))
      return { path: target, namespace: space };
    problems.push({ file: importer, line: 0, column: 0, message: `Cannot load "${path}" by ${kind}` });
    return { path: `${importer}#${path}`, namespace: "refused" };
  };
}

function problemOf(error: unknown): BundleProblem {
  const { position, message } = error as BuildMessage | ResolveMessage;
  return {
    file: position?.file ?? "",
    line: position?.line ?? 0,
    column: position?.column ?? 0,
    message,
  };
}

async function build(
  entry: string,
  format: "iife" | "esm",
  problems: BundleProblem[],
  plugin: Bun.BunPlugin,
): Promise<BundleResult> {
  const options = {
    root,
    target: "browser",
    format,
    env: "disable",
    sourcemap: "external",
    throw: false,
    // Indenting what is nested deeply would make a text many times as long.
    minify: { whitespace: true, identifiers: false, syntax: false },
    // The types of Bun do not have this one: without it an import attribute runs the module that it names.
    macros: false,
  } as const;
  const built = await Bun.build({ ...options, entrypoints: [entry], plugins: [plugin] });
  if (problems.length === 0)
    problems.push(...built.logs.filter((log) => log.level === "error").map(problemOf));
  const script = built.outputs.find((output) => output.kind === "entry-point");
  const map = built.outputs.find((output) => output.kind === "sourcemap");
  if (problems.length > 0 || script === undefined || map === undefined)
    return { text: null, map: "", problems };
  return { text: (await script.text()).replace(debugComment, "\n"), map: await map.text(), problems };
}

function importsOf(text: string): ModuleImports {
  try {
    const scanned = new Bun.Transpiler({ loader: "ts" }).scanImports(text);
    return { imports: scanned.map(({ path, kind }) => ({ name: path, kind })), problems: [] };
  } catch (error) {
    const errors = error instanceof AggregateError ? error.errors : [error];
    return { imports: null, problems: errors.map(problemOf) };
  }
}

export const bundler: Bundler = {
  importsOf,
  plain(path, text) {
    const files = { [path]: { text, language: "ts" } } as const;
    return build(
      path,
      "esm",
      [],
      inMemory(files, (found) => ({ path: found.path, external: true })),
    );
  },
  bundle(options) {
    const problems: BundleProblem[] = [];
    return build(options.entry, "iife", problems, inMemory(options.files, listed(options, problems)));
  },
};
