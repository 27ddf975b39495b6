/**
 * heddle as another commit makes it: compiled by that commit's own script in a git worktree that is gone afterwards, and kept
 * by commit beside the packages.
 */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bun } from "../../compile/repository.ts";

export interface OtherBuild {
  /** Its first twelve digits. */
  readonly commit: string;
  readonly binary: string;
}

/** Throws with the reason when `name` is no commit of the repository or does not compile. */
export function buildCommit(repository: string, name: string): OtherBuild {
  const full = commitOf(repository, name);
  const commit = full.slice(0, 12);
  // Not in a folder where other users of the machine could put a program of theirs.
  const binary = join(repository, "node_modules/.cache/heddle-bench", full, "heddle");
  if (!existsSync(binary)) compileInWorktree(repository, commit, binary);
  return { commit, binary };
}

function commitOf(repository: string, name: string): string {
  const asked = ["rev-parse", "--verify", "--quiet", `${name}^{commit}`];
  const answer = name.startsWith("-") ? null : git(repository, asked);
  if (answer?.status === 0) return answer.stdout.trim();
  throw new Error(`Cannot compare with "${name}": it is no commit of this repository`);
}

function compileInWorktree(repository: string, commit: string, binary: string): void {
  const folder = mkdtempSync(`${tmpdir()}/heddle-commit-`);
  const worktree = join(folder, commit);
  const packages = join(worktree, "node_modules");
  try {
    mustRun(commit, git(repository, ["worktree", "add", "--detach", worktree, commit]));
    // With another lock file its script finds none, and installs what that one names.
    const lends = sameLock(repository, worktree) && existsSync(join(repository, "node_modules"));
    if (lends) symlinkSync(join(repository, "node_modules"), packages);
    mustRun(commit, spawnSync(bun, ["run", "compile"], { cwd: worktree, encoding: "utf8" }));
    mkdirSync(dirname(binary), { recursive: true });
    copyFileSync(join(worktree, "dist/heddle"), `${binary}.new`);
    renameSync(`${binary}.new`, binary);
  } finally {
    // A link goes, what it leads to stays.
    rmSync(folder, { recursive: true, force: true });
    git(repository, ["worktree", "prune"]);
  }
}

function sameLock(repository: string, worktree: string): boolean {
  const lockOf = (folder: string): string => {
    const file = join(folder, "package-lock.json");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  };
  return lockOf(repository) === lockOf(worktree);
}

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function git(repository: string, args: readonly string[]): Ran {
  return spawnSync("git", args, { cwd: repository, encoding: "utf8" });
}

function mustRun(commit: string, { status, stdout, stderr }: Ran): void {
  if (status !== 0) throw new Error(`Cannot compile commit ${commit}: ${stdout}${stderr}`);
}
