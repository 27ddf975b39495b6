// Runs a task of this repository on a machine that has only Node with npm, or only Bun: installs what is missing, finds
// the Bun that the lock file names, and hands over to compile/tasks.ts. Plain JavaScript: it runs before anything exists.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [task, ...rest] = process.argv.slice(2);

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

/** heddle runs on Linux x64 with glibc; everything else is told so before anything is installed. */
function platformProblem() {
  if (process.platform !== "linux") return `this is ${process.platform}`;
  if (process.arch !== "x64") return `this machine is ${process.arch}`;
  if (existsSync("/lib/ld-musl-x86_64.so.1") && !existsSync("/lib64/ld-linux-x86-64.so.2"))
    return "this Linux has musl instead of glibc";
  return null;
}

function bunCandidates() {
  const modules = join(root, "node_modules");
  return [
    join(modules, "bun/bin/bun.exe"),
    join(modules, "@oven/bun-linux-x64/bin/bun"),
    join(modules, "@oven/bun-linux-x64-baseline/bin/bun"),
  ];
}

const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

function findBun() {
  for (const path of bunCandidates()) {
    if (!existsSync(path)) continue;
    const answer = spawnSync(path, ["--version"], { encoding: "utf8" });
    if (answer.status === 0 && answer.stdout.trim() === wanted.devDependencies.bun) return path;
  }
  return null;
}

/** Every package of package.json is there in the version it names. */
function installed() {
  const all = { ...wanted.dependencies, ...wanted.devDependencies };
  return Object.entries(all).every(([name, version]) => {
    const file = join(root, "node_modules", name, "package.json");
    return existsSync(file) && JSON.parse(readFileSync(file, "utf8")).version === version;
  });
}

function run(command, args, quiet) {
  const answer = spawnSync(command, args, { cwd: root, stdio: quiet ? "pipe" : "inherit", encoding: "utf8" });
  if (answer.error?.code === "ENOENT") return null;
  if (answer.status !== 0 && quiet) process.stderr.write(`${answer.stdout}${answer.stderr}`);
  return answer.status;
}

function install() {
  process.stderr.write("heddle: installing what package-lock.json names into node_modules\n");
  const byNpm = run("npm", ["ci", "--no-audit", "--no-fund"], true);
  if (byNpm === 0) return;
  if (byNpm === null && process.versions.bun !== undefined) {
    if (run(process.execPath, ["install"], true) === 0) return;
  }
  fail("heddle: could not install the packages: neither npm nor bun succeeded (see above)");
}

if (task === undefined)
  fail(
    "usage: node compile/boot.mjs <demo|test|ok|bench|profile|fuzz|sim|mutants|conformance|compile|format> [arguments]",
  );
const problem = platformProblem();
if (problem !== null)
  fail(`heddle needs Linux x64 with glibc: ${problem}. Run it on such a machine, a VM or a container.`);

if (!installed()) install();
let bun = findBun();
if (bun === null) {
  run(process.execPath, [join(root, "node_modules/bun/install.js")], true);
  bun = findBun();
}
if (bun === null)
  fail(
    `heddle: Bun ${wanted.devDependencies.bun} is not in node_modules although the install succeeded. Remove node_modules and try again.`,
  );

const status = run(bun, ["--no-env-file", join(root, "compile/tasks.ts"), task, ...rest], false);
process.exit(status ?? 1);
