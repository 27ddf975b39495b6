/** Bundling by Bun.build, in memory. `root` is a folder that can be read under every seal; nothing in it is looked at. */
import { dirname, resolve } from "node:path";
import type { BundleOptions, BundleProblem, BundleResult, Bundler } from "../contract.ts";

const space = "memory";
const root = "/proc/self";
/** The compiler's comment about itself, which is no part of the program. */
const debugComment = /\n*\/\/# debugId=\w+\s*$/;

interface Resolution {
  readonly path: string;
  readonly namespace: string;
}

function plugin(options: BundleOptions, problems: BundleProblem[]): Bun.BunPlugin {
  const refuse = (importer: string, name: string, reason: string): Resolution => {
    const [line, column] = placeOf(options.files[importer] ?? "", name);
    problems.push({ file: importer, line, column, message: reason });
    return { path: `${importer}#${name}`, namespace: "refused" };
  };
  return {
    name: "memory",
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, importer, kind }): Resolution => {
        if (kind === "entry-point-build") return { path, namespace: space };
        if (kind !== "import-statement") {
          return refuse(
            importer,
            path,
            `Cannot load "${path}" by ${kind}: only import statements are allowed`,
          );
        }
        const target = path.startsWith(".") ? resolve(dirname(importer), path) : options.names[path];
        if (target !== undefined && target in options.files) return { path: target, namespace: space };
        const known = Object.keys(options.names).join(", ");
        const reason = path.startsWith(".")
          ? "there is no such file"
          : `only ${known} and own files are allowed`;
        return refuse(importer, path, `Cannot import "${path}": ${reason}`);
      });
      build.onLoad({ filter: /.*/, namespace: space }, ({ path }) => ({
        contents: options.files[path] ?? "",
        loader: path.endsWith(".ts") ? "ts" : "js",
      }));
      build.onLoad({ filter: /.*/, namespace: "refused" }, () => ({ contents: "export {}", loader: "js" }));
    },
  };
}

/** Where the name stands in quotes, counted from 1; zeros when it is not found. */
function placeOf(text: string, name: string): [line: number, column: number] {
  const at = Math.max(text.indexOf(`"${name}"`), text.indexOf(`'${name}'`));
  if (at < 0) return [0, 0];
  const before = text.slice(0, at).split("\n");
  return [before.length, (before.at(-1)?.length ?? 0) + 1];
}

function problemOf(log: BuildMessage | ResolveMessage): BundleProblem {
  const { position } = log;
  return {
    file: position?.file ?? "",
    line: position?.line ?? 0,
    column: position?.column ?? 0,
    message: log.message,
  };
}

/** Paths in the map carry the name of the space before them. */
function plainMap(map: string): string {
  const parsed = JSON.parse(map) as { sources: string[]; sourcesContent?: unknown };
  parsed.sources = parsed.sources.map((source) => source.replace(/^\w+:/, ""));
  delete parsed.sourcesContent;
  return JSON.stringify(parsed);
}

async function bundle(options: BundleOptions): Promise<BundleResult> {
  const problems: BundleProblem[] = [];
  const built = await Bun.build({
    entrypoints: [options.entry],
    root,
    target: "browser",
    format: "iife",
    env: "disable",
    sourcemap: "external",
    throw: false,
    plugins: [plugin(options, problems)],
  });
  if (problems.length === 0)
    problems.push(...built.logs.filter((log) => log.level === "error").map(problemOf));
  const script = built.outputs.find((output) => output.kind === "entry-point");
  const map = built.outputs.find((output) => output.kind === "sourcemap");
  if (problems.length > 0 || script === undefined || map === undefined)
    return { text: null, map: "", problems };
  const text = (await script.text()).replace(debugComment, "\n");
  return { text, map: plainMap(await map.text()), problems };
}

export const bundler: Bundler = { bundle };
