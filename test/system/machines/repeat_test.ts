/** One machine: an installation that is killed wherever it stands, and one by a user who is not root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;
/** Seconds after which an installation is killed; each next attempt finds what the one before left. */
const kills = [0.05, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.3];
const userMesh = `
{kind: Service, name: web, port: 8090, protocol: http}
---
{kind: Service, name: mail, port: 8091, protocol: http}
---
{kind: Access, name: web, service: web, allow: [{from: web, methods: [GET]}]}
`;
/** What it is told to do by a reload it does inside of its own cgroup. */
const userUnit = (name: string, port: number): string => `[Service]
ExecStart=python3 -m http.server ${port} --bind 127.0.0.1 --directory /home/ann/apps
ExecReload=sh /home/ann/apps/call ${name}
`;

describe.skipIf(why !== null)(`a machine${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines | null = null;

  beforeAll(async () => {
    machines = await Machines.start(["vm-1"]);
    copyFileSync(binaryPath, `${machine().root}/usr/bin/heddle-copy`);
    chmodSync(`${machine().root}/usr/bin/heddle-copy`, 0o755);
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  const machine = (): Machine => {
    if (machines === null) throw new Error("The machine did not start");
    return machines.get("vm-1");
  };
  const modes = ["registry", "controller", "proxy"];
  const state = (mode: string, systemctl = "systemctl"): string =>
    machine().run(`${systemctl} is-active heddle-${mode}; ${systemctl} is-enabled heddle-${mode}`).out;

  test(
    "an init that is killed at any step is finished by the next one",
    () => {
      const init = "heddle-copy init --trust-domain corp.example --address 10.83.7.1";
      for (const seconds of kills) machine().run(`timeout -s KILL ${seconds} ${init}`);
      machine().must(init);
      for (const mode of modes) expect([mode, state(mode)]).toEqual([mode, "active\nenabled\n"]);
      expect(machine().must("heddle status")).toContain("vm-1");
      expect(machine().run("ls /run/heddle.changing").code).not.toBe(0);
    },
    testMs,
  );

  test(
    "a service that cannot start is told of with the end of its log, and the next init starts it",
    () => {
      machine().must("systemctl stop heddle-proxy && systemd-run --unit thief python3 -m http.server 7445");
      const said = machine().run("heddle-copy init");
      expect(said.code).toBe(2);
      expect(said.err).toMatch(
        /^error: Cannot run systemctl start .*\n(.*\n)*heddle-proxy.service: activating/m,
      );
      // A root's process is none that the service may look into, and the command that starts it is none that listens.
      expect(said.err).toContain("Cannot listen on 0.0.0.0:7445: the port is taken by another process");
      machine().must("systemctl stop thief && heddle-copy init");
      expect(state("proxy")).toBe("active\nenabled\n");
    },
    testMs,
  );

  test(
    "a join that is refused leaves no trace, and starts nothing again",
    () => {
      const pid = (): string => machine().must("systemctl show --value --property=MainPID heddle-proxy");
      const before = pid();
      const token = /hd1\.\S+/.exec(machine().must("heddle token create --service orders"))?.[0] ?? "";
      const join = `heddle-copy join 10.83.7.1:7443 ${token} --service other --port 8080`;
      expect(machine().run(join).code).not.toBe(0);
      expect(machine().run("ls /run/heddle.changing").code).not.toBe(0);
      machine().must("heddle-copy init");
      expect(pid()).toBe(before);
    },
    testMs,
  );

  test(
    "an uninstall that is killed at any step is finished by the next one",
    () => {
      for (const seconds of kills) machine().run(`timeout -s KILL ${seconds} heddle-copy uninstall --purge`);
      machine().must("heddle-copy uninstall --purge");
      const left =
        "find / -xdev -path /proc -prune -o -path /var/log -prune -o -name '*heddle*' ! -name heddle-copy -print";
      expect(machine().must(left)).toBe("");
      expect(machine().run("id heddle").code).not.toBe(0);
      expect(machine().must("systemctl list-units --all --no-legend 'heddle*'")).toBe("");
    },
    testMs,
  );

  describe("of a user who is not root", () => {
    const asAnn = (line: string) => machine().run(`runuser -u ann -- env HOME=/home/ann sh -c 'cd; ${line}'`);
    const systemctl = "runuser -u ann -- env XDG_RUNTIME_DIR=/run/user/$(id -u ann) systemctl --user";
    const home = (): string => machine().must("find /home/ann | sort");

    test(
      "says what is missing where the user has no service manager",
      () => {
        machine().must("useradd --create-home ann");
        const said = asAnn("heddle-copy init --trust-domain corp.example --address 10.83.7.1");
        expect([said.code, said.err]).toEqual([
          2,
          expect.stringMatching(/Cannot install services: you are not root.*\n.*sudo loginctl enable-linger/),
        ]);
        expect(home()).not.toContain("heddle");
      },
      testMs,
    );

    test(
      "has units of that user, tells attached ones apart, and uninstall takes all of it away",
      async () => {
        const before = home();
        machine().must("loginctl enable-linger ann && systemctl start user@$(id -u ann).service");
        const said = asAnn("heddle-copy init --trust-domain corp.example --address 10.83.7.1");
        expect([said.code, said.err]).toEqual([0, expect.stringContaining("heddle token create")]);
        for (const mode of modes) expect([mode, state(mode, systemctl)]).toEqual([mode, "active\nenabled\n"]);
        expect(machine().must("ps -o user= -C heddle | sort -u")).toBe("ann\n");
        expect(asAnn(".local/bin/heddle status").out).toContain("vm-1");
        const { code, err } = asAnn(".local/bin/heddle upgrade /usr/bin/heddle-copy");
        expect([code, err.match(/goes on as process/g)?.length]).toEqual([0, 3]);
        expect(asAnn(".local/bin/heddle check").out).toMatch(/! HED0021 authority: .*\n +.*sudo heddle init/);
        await tellsUnitsApart();
        expect(asAnn("heddle-copy uninstall --purge").code).toBe(0);
        expect(machine().run("pgrep heddle").out).toBe("");
        machine().must(
          "cd /home/ann && rm -r apps && cd .config/systemd/user && rm web.service mail.service cron.service",
        );
        expect(home().replaceAll(/^.*\.(config|local|cache).*\n/gm, "")).toBe(before);
        expect(home()).not.toContain("heddle");
      },
      2 * testMs,
    );

    /** Their ports are ones that a user may have. */
    async function tellsUnitsApart(): Promise<void> {
      const { root } = machine();
      const write = (path: string, text: string): void => writeFileSync(`${root}/home/ann/${path}`, text);
      asAnn("mkdir -p apps .config/systemd/user; echo hello > apps/hello");
      write("apps/mesh.yaml", userMesh);
      for (const [at, name] of ["web", "mail", "cron"].entries())
        write(`.config/systemd/user/${name}.service`, userUnit(name, 8_081 + at));
      machine().must(`${systemctl} daemon-reload && ${systemctl} start web mail cron`);
      expect(asAnn(".local/bin/heddle apply -f apps/mesh.yaml").code).toBe(0);
      for (const [at, name] of ["web", "mail"].entries())
        expect(asAnn(`.local/bin/heddle attach ${name}.service --port ${8_081 + at}`)).toMatchObject({
          code: 0,
        });
      const page = (): string => machine().run("curl -sS http://127.0.0.1:9464/config").out;
      const address = await waitFor(
        "web has an address",
        () => /"web\.default[^"]*?(127(?:\.\d+){3})/.exec(page())?.[1] ?? null,
      );
      const call = `curl -sS -m 5 -w "\\n%{http_code}" http://${address}:8090/hello`;
      write("apps/call", `${call} > /home/ann/apps/$1.said 2>&1; exit 0\n`);
      const told = (name: string): string => {
        machine().must(`${systemctl} reload ${name}`);
        return machine().must(`cat /home/ann/apps/${name}.said`);
      };
      await waitFor("web is answered", () => (told("web") === "hello\n\n200" ? true : null));
      expect(told("mail")).toMatch(/mail\.default may not GET \/hello of web\.default[^]*403$/);
      expect(told("cron")).toContain("cron.service is not attached");
    }
  });
});
