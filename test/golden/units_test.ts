/**
 * Unit files as they were once judged right, by the version of systemd that is there, and what systemd itself says of them where it is
 * installed. GOLDEN=update writes what comes out now.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sysusersLine, tmpfilesText, unitFiles, type UnitsDescription } from "../../src/systemd/units.ts";
import { expectGolden } from "../support/golden.ts";
import { hasProgram } from "../support/processes.ts";

const folder = join(import.meta.dir, "units");
const program = "/usr/local/bin/heddle";

const first: UnitsDescription = {
  version: 252,
  scope: "system",
  program,
  replaces: null,
  state: "/var/lib/heddle",
  modes: ["registry", "controller", "proxy"],
  lowPorts: ["proxy"],
  drain: null,
};
const joined: UnitsDescription = { ...first, modes: ["proxy"] };
const cases: Readonly<Record<string, UnitsDescription>> = {
  first_machine: first,
  joined_machine: joined,
  newer_systemd: { ...joined, version: 254 },
  other_places: {
    ...first,
    state: "/srv/100% heddle",
    drain: "2m",
    lowPorts: ["controller", "proxy"],
  },
  one_user: {
    ...joined,
    scope: "user",
    program: "/home/ann/.local/bin/heddle",
    state: "/home/ann/.local/state/heddle",
    lowPorts: [],
  },
};

describe.each(Object.entries(cases))("the units of %s", (name, description) => {
  test("are what was once judged right", () => {
    const files = unitFiles(description).map((file) => `==> ${file.name}\n${file.text}`);
    const beside =
      description.scope === "user"
        ? []
        : [`==> sysusers\n${sysusersLine(description)}\n`, `==> tmpfiles\n${tmpfilesText(description)}`];
    expectGolden(join(folder, `${name}.expected`), [...files, ...beside].join("\n"));
  });
});

const scratch = mkdtempSync(`${tmpdir()}/heddle-units-`);
afterAll(() => rmSync(scratch, { recursive: true }));

function versionThere(): number {
  const said = hasProgram("systemd-analyze")
    ? spawnSync("systemd-analyze", ["--version"]).stdout.toString()
    : "";
  return Number(/^systemd (\d+)/.exec(said)?.[1] ?? 0);
}

const version = versionThere();

/** The files in a folder of their own, with a program that is there. */
function written(name: string, description: UnitsDescription): string[] {
  mkdirSync(`${scratch}/${name}`, { recursive: true });
  return unitFiles({ ...description, version, program: "/bin/true" }).map((file) => {
    const path = `${scratch}/${name}/${file.name}`;
    writeFileSync(path, file.text);
    return path;
  });
}

describe.skipIf(version === 0)(`systemd ${version || "(needs systemd-analyze)"}`, () => {
  test.each(Object.entries(cases))("finds nothing to say of the units of %s", (name, description) => {
    const scope = description.scope === "user" ? ["--user"] : [];
    const words = ["verify", ...scope, "--man=no", ...written(name, description)];
    const env = { PATH: process.env["PATH"] ?? "", HOME: scratch, XDG_RUNTIME_DIR: scratch };
    const { status, stderr } = spawnSync("systemd-analyze", words, { env });
    expect({ status, said: stderr.toString() }).toEqual({ status: 0, said: "" });
  });

  test.each(["first_machine", "newer_systemd", "other_places"])(
    "finds the services of %s well sealed off",
    (name) => {
      const description = cases[name] ?? first;
      for (const path of written(name, description).filter((each) => each.endsWith(".service"))) {
        const { status, stdout, stderr } = spawnSync("systemd-analyze", [
          "security",
          "--offline=true",
          "--threshold=20",
          "--no-pager",
          path,
        ]);
        const overall = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout.toString())?.[1];
        expect({ path, status, said: stderr.toString() }).toEqual({ path, status: 0, said: "" });
        expect(Number(overall)).toBeLessThanOrEqual(2);
      }
    },
  );
});
