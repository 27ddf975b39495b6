/** The binary of another commit is made by that commit's own script, once, and leaves no worktree behind. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { runProgram } from "../../support/processes.ts";
import { buildCommit } from "../../bench/other_commit.ts";

describe("another commit", () => {
  let folder = "";
  let repository = "";
  const git = (...args: readonly string[]): string =>
    runProgram([
      "git",
      "-C",
      repository,
      "-c",
      "user.name=t",
      "-c",
      "user.email=t@mesh.test",
      ...args,
    ]).trim();

  /** A commit whose script says in its binary which commit it is and whether it found packages. */
  function commit(lock: string, script = ""): string {
    const compile = `echo x >> ${folder}/builds; ${script} mkdir dist; (git rev-parse HEAD; cat node_modules/marker || true) > dist/heddle`;
    writeFileSync(`${repository}/package.json`, JSON.stringify({ scripts: { compile } }));
    writeFileSync(`${repository}/package-lock.json`, lock);
    git("add", "package.json", "package-lock.json");
    git("commit", "--quiet", "--no-gpg-sign", "--allow-empty", "-m", "a commit");
    return git("rev-parse", "HEAD");
  }

  beforeEach(() => {
    folder = mkdtempSync(`${tmpdir()}/heddle-other-commit-`);
    repository = `${folder}/repository`;
    mkdirSync(`${repository}/node_modules`, { recursive: true });
    writeFileSync(`${repository}/node_modules/marker`, "packages of the repository\n");
    git("init", "--quiet");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("is compiled in a worktree that is gone afterwards, and the repository stays as it was", () => {
    const first = commit("one lock");
    commit("one lock", "exit 1;");
    const built = buildCommit(repository, first);
    expect(built.commit).toBe(first.slice(0, 12));
    expect(readFileSync(built.binary, "utf8")).toBe(`${first}\npackages of the repository\n`);
    expect(git("worktree", "list").split("\n")).toHaveLength(1);
    expect(git("status", "--porcelain")).toBe("?? node_modules/");
    expect(readFileSync(`${repository}/node_modules/marker`, "utf8")).toBe("packages of the repository\n");
  });

  test("is compiled once, by whatever name it is asked for", () => {
    const first = commit("one lock");
    const { binary } = buildCommit(repository, first);
    expect(buildCommit(repository, "HEAD").binary).toBe(binary);
    expect(buildCommit(repository, first.slice(0, 9)).binary).toBe(binary);
    expect(readFileSync(`${folder}/builds`, "utf8")).toBe("x\n");
  });

  test("does not get the packages of the repository when its lock file names others", () => {
    const first = commit("another lock");
    commit("one lock");
    expect(readFileSync(buildCommit(repository, first).binary, "utf8")).toBe(`${first}\n`);
  });

  test("that does not compile says why, and leaves neither a worktree nor a binary", () => {
    const first = commit("one lock", "echo no such luck; exit 3;");
    for (let twice = 0; twice < 2; twice++) {
      expect(() => buildCommit(repository, "HEAD")).toThrow(
        new RegExp(`Cannot compile commit ${first.slice(0, 12)}: [^]*no such luck`),
      );
    }
    expect(git("worktree", "list").split("\n")).toHaveLength(1);
  });

  test("that is none is named", () => {
    commit("one lock");
    for (const name of ["no-such-name", "--all", "HEAD:package.json"]) {
      expect(() => buildCommit(repository, name)).toThrow(
        `Cannot compare with "${name}": it is no commit of this repository`,
      );
    }
  });
});
