/** What shells make of the completion scripts of the compiled binary, and man(1) of its pages. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { hasProgram } from "../support/processes.ts";

describe.skipIf(binaryMissing)("dist/heddle", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-completion-`);
  afterAll(() => rmSync(folder, { recursive: true }));
  const said = (...args: string[]): string => spawnSync(binaryPath, args, { encoding: "utf8" }).stdout;

  beforeAll(() => {
    for (const shell of ["bash", "zsh", "fish"])
      writeFileSync(`${folder}/${shell}`, said("completion", shell));
    writeFileSync(`${folder}/some.yaml`, "");
  });

  /** What bash offers for the last word. */
  function offered(...words: string[]): string[] {
    const line = [
      `source ${folder}/bash; cd ${folder}`,
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}`,
      '_heddle; printf "%s\\n" "${COMPREPLY[@]}"',
    ].join("; ");
    const answer = spawnSync("bash", ["-c", line], { encoding: "utf8" });
    expect(answer.stderr).toBe("");
    return answer.stdout.split("\n").filter((each) => each !== "");
  }

  test.skipIf(!hasProgram("bash"))("completes commands, those below them, flags and files in bash", () => {
    expect(offered("heddle", "unin")).toEqual(["uninstall"]);
    expect(offered("heddle", "token", "")).toEqual(["create", "list", "revoke"]);
    expect(offered("heddle", "--state", "some.yaml", "token", "cr")).toEqual(["create"]);
    expect(offered("heddle", "token", "create", "--any")).toEqual(["--any-service"]);
    expect(offered("heddle", "restore", "some")).toEqual(["some.yaml"]);
    expect(offered("heddle", "apply", "-f", "so")).toEqual(["some.yaml"]);
    expect(offered("heddle", "status", "--outp")).toEqual(["--output"]);
  });

  test.each(["zsh", "fish"])("is read by %s without a complaint, where that is there", (shell) => {
    if (!hasProgram(shell)) return;
    const answer = spawnSync(shell, ["-n", `${folder}/${shell}`], { encoding: "utf8" });
    expect([answer.status, answer.stderr]).toEqual([0, ""]);
  });

  test("refuses a shell that it does not know", () => {
    const answer = spawnSync(binaryPath, ["completion", "tcsh"], { encoding: "utf8" });
    expect([answer.status, answer.stderr]).toEqual([2, expect.stringContaining("expected bash, zsh, fish")]);
  });

  test("writes manual pages, in which groff finds nothing to complain about where it is there", () => {
    said("man", `${folder}/man`);
    const pages = readdirSync(`${folder}/man`);
    for (const page of ["heddle.1", "heddle-join.1", "heddle-token.1"]) expect(pages).toContain(page);
    if (!hasProgram("groff")) return;
    const paths = pages.map((page) => `${folder}/man/${page}`);
    const answer = spawnSync("groff", ["-man", "-ww", "-Tutf8", "-z", ...paths], { encoding: "utf8" });
    expect(answer.stderr).toBe("");
  });
});
