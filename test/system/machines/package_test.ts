/** The Debian package on a real machine: it starts nothing, is upgraded while it runs, and leaves nothing; and what RPM says of its own. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename } from "node:path";
import { makePackages, packagesMissing, type MadePackage } from "../../../compile/packages.ts";
import { binaryMissing, root } from "../../../compile/repository.ts";
import { targets } from "../../../compile/targets.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { hasProgram, runProgram, waitFor } from "../../support/processes.ts";

const whyNone = binaryMissing ? "there is no dist/heddle" : packagesMissing();
const why = whyNone ?? machinesMissing;
const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as { readonly version: string };
/** What the log of dpkg says of a package that it works on. */
const dpkgState = /(?<=^\S+ \S+ status )\S+(?= heddle:)/gm;
const said = (...command: readonly string[]): string => runProgram(command);

describe.skipIf(whyNone !== null)(`packages${whyNone === null ? "" : ` (skipped: ${whyNone})`}`, () => {
  let made: readonly MadePackage[] = [];
  const pathOf = (kind: MadePackage["kind"]): string => made.find((each) => each.kind === kind)?.path ?? "";

  beforeAll(async () => {
    made = await makePackages(targets.x64, { compile: false });
  }, 3 * testMs);

  test.skipIf(!hasProgram("rpm"))("hold the binary, its manual and its completion (needs rpm)", () => {
    const { stdout } = spawnSync("rpm", ["-qpl", pathOf("rpm")], { encoding: "utf8" });
    for (const path of [
      "/usr/bin/heddle",
      "/usr/share/man/man1/heddle-join.1.gz",
      "/usr/share/bash-completion/completions/heddle",
      "/usr/share/zsh/site-functions/_heddle",
    ])
      expect(stdout.split("\n")).toContain(path);
  });

  test.skipIf(!hasProgram("rpm") || !hasProgram("dpkg-deb")).each([
    [targets["x64-baseline"], "heddle-baseline", 0x3e],
    [targets.arm64, "heddle", 0xb7],
  ] as const)(
    "of $name say by their names and inside for which processor they are (needs rpm and dpkg-deb)",
    async (target, name, elfMachine) => {
      const others = await makePackages(target);
      const files = others.map(({ path }) => basename(path));
      expect(files).toEqual([
        `${name}_${version}_${target.deb}.deb`,
        `${name}-${version}-1.${target.rpm}.rpm`,
      ]);
      const [deb = "", rpm = ""] = others.map(({ path }) => path);
      const fields = ["-f", deb, "Package", "Version", "Architecture"];
      expect(said("dpkg-deb", ...fields)).toBe(
        `Package: heddle\nVersion: ${version}\nArchitecture: ${target.deb}\n`,
      );
      expect(said("rpm", "-qp", "--qf", "%{NAME} %{VERSION}-%{RELEASE} %{ARCH}", rpm)).toBe(
        `heddle ${version}-1 ${target.rpm}`,
      );
      const inside = mkdtempSync(`${tmpdir()}/heddle-package-`);
      said("dpkg-deb", "-x", deb, inside);
      // Of the head of an ELF file: for which processor it is.
      expect(readFileSync(`${inside}/usr/bin/heddle`).readUInt16LE(18)).toBe(elfMachine);
      rmSync(inside, { recursive: true });
    },
    3 * testMs,
  );

  describe.skipIf(why !== null)(`on a machine${why === null ? "" : ` (skipped: ${why})`}`, () => {
    let machines: Machines | null = null;
    const on = (): Machine => {
      if (machines === null) throw new Error("The machine did not start");
      return machines.get("vm-1");
    };
    const shown = (property: string): string =>
      on().must(`systemctl show --value --property=${property} heddle-proxy`).trim();
    const left = (): string =>
      on()
        .must(
          "find / -xdev \\( -path /proc -o -path /var/log -o -path /var/cache \\) -prune -o -name '*heddle*' -print",
        )
        .replace("/root/heddle.deb\n", "");

    beforeAll(async () => {
      machines = await Machines.start(["vm-1"]);
      copyFileSync(pathOf("deb"), `${on().root}/root/heddle.deb`);
    }, testMs);
    afterAll(async () => await machines?.stop(), testMs);

    test(
      "the package starts nothing, and init runs the services from where it lies",
      () => {
        on().must("dpkg -i heddle.deb");
        expect(on().run("systemctl list-units --all --no-legend 'heddle*'").out).toBe("");
        expect(on().must("heddle version")).toContain("heddle ");
        on().must("heddle init --trust-domain corp.example --address 10.83.7.1 --drain 3s");
        expect(on().must("systemctl cat heddle-proxy")).toContain(
          "ExecStart=/usr/bin/heddle proxy --drain 3s\n",
        );
        expect(on().run("ls /usr/local/bin/heddle").code).not.toBe(0);
      },
      testMs,
    );

    test(
      "an upgrade starts the services again, as they were told to run",
      () => {
        const pid = shown("MainPID");
        on().must("dpkg -i heddle.deb");
        expect(shown("ActiveState")).toBe("active");
        expect(shown("MainPID")).not.toBe(pid);
        expect(on().must("systemctl cat heddle-proxy")).toContain("--drain 3s");
        expect(on().must("heddle status")).toMatch(/vm-1 +connected/);
      },
      testMs,
    );

    test(
      "an upgrade in which the power fails is finished after the next boot, whatever dpkg was at",
      async () => {
        const log = `${on().root}/var/log/dpkg.log`;
        const states = (): readonly string[] => readFileSync(log, "utf8").match(dpkgState) ?? [];
        const moments: string[] = [];
        for (;;) {
          const before = states().length;
          on().must("systemd-run --quiet --unit upgrade dpkg -i /root/heddle.deb");
          const moment = await waitFor(
            "dpkg goes on",
            () =>
              states()[before + moments.length] ??
              (/^(inactive|failed)/.test(on().run("systemctl is-active upgrade").out) ? "ended" : null),
            { everyMs: 1 },
          );
          if (moment === "ended") break;
          moments.push(moment);
          await on().cut();
          await on().start();
          // What there is of it carries traffic meanwhile, whichever version that is.
          expect([moment, "boot", shown("ActiveState")]).toEqual([moment, "boot", "active"]);
          // As dpkg asks for it, which takes half an installation only whole.
          on().must("dpkg --configure -a; dpkg -i heddle.deb");
          expect(on().must("dpkg-query -W -f '${Status}' heddle")).toBe("install ok installed");
          expect([moment, shown("ActiveState")]).toEqual([moment, "active"]);
          expect(on().must("heddle status")).toMatch(/vm-1 +connected/);
        }
        console.log(`power lost ${moments.length} times: ${moments.join(", ")}`);
        expect(moments.length).toBeGreaterThan(3);
      },
      6 * testMs,
    );

    test(
      "a removal ends the services and keeps the state, and a purge leaves nothing",
      () => {
        on().must("dpkg -r heddle");
        expect(on().run("systemctl list-units --all --no-legend 'heddle*'").out).toBe("");
        expect(on().must("ls /var/lib/heddle")).toContain("authority");
        on().must("dpkg -i heddle.deb && heddle init && dpkg -r heddle && dpkg -P heddle");
        expect(left()).toBe("");
      },
      testMs,
    );

    test(
      "the package takes the place of a copy that was installed before",
      () => {
        on().must("dpkg -i heddle.deb && cp /usr/bin/heddle /root/heddle && dpkg -P heddle");
        on().must("./heddle init --trust-domain corp.example --address 10.83.7.1");
        expect(on().must("systemctl cat heddle-proxy")).toContain("ExecStart=/usr/local/bin/heddle proxy\n");
        on().must("dpkg -i heddle.deb");
        expect(on().must("systemctl cat heddle-proxy")).toContain("ExecStart=/usr/bin/heddle proxy\n");
        expect(on().run("ls /usr/local/bin/heddle").code).not.toBe(0);
        expect(shown("ActiveState")).toBe("active");
      },
      testMs,
    );
  });
});
