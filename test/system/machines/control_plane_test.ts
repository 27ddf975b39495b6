/** The machine of the control plane: what its proxy cannot reach, and how the rest of it lives on elsewhere. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { hangMs, testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;

const names = ["vm-1", "vm-2", "vm-3", "vm-4"];
/** Long enough for a control plane to be away, short enough to see certificates renewed. */
const leafTtl = "60s";
const mesh = `
{kind: Service, name: orders, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;
const load =
  "while :; do curl -s -m 5 -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:9001/; sleep 0.05; done >> /root/answers";

describe.skipIf(why !== null)(`the control plane${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines | null = null;

  beforeAll(async () => {
    machines = await Machines.start(names);
    for (const name of names) {
      copyFileSync(binaryPath, `${on(name).root}/root/heddle`);
      chmodSync(`${on(name).root}/root/heddle`, 0o755);
    }
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  const on = (name: string): Machine => {
    if (machines === null) throw new Error("The machines did not start");
    return machines.get(name);
  };

  test(
    "an installation of an older version is brought into the order of this one by the next init",
    async () => {
      const init = `./heddle init --trust-domain corp.example --address 10.83.7.1 --leaf-ttl ${leafTtl}`;
      on("vm-1").must(init);
      // As it was before: all beside one another, and units that closed the authority alone.
      on("vm-1").must(
        [
          "systemctl stop heddle-proxy heddle-controller heddle-registry",
          "cd /var/lib/heddle && mv control/* registry/* . && rmdir control registry",
          "sed -i '/^InaccessiblePaths=.*\\(control\\|registry\\)/d' /etc/systemd/system/heddle-*.service",
          "systemctl daemon-reload && systemctl start heddle-proxy",
        ].join(" && "),
      );
      on("vm-1").must(init);
      expect(on("vm-1").must("cd /var/lib/heddle && ls control")).toBe("controller.json\noperator.json\n");
      expect(on("vm-1").run("ls /var/lib/heddle/operator.json /var/lib/heddle/registry.db").code).not.toBe(0);
      await untilConnected("vm-1", ["vm-1"]);
    },
    testMs,
  );

  test(
    "what runs as the proxy's unit does reads no key of the authority, no operator's credential, and nothing of the registry, and changes no settings",
    () => {
      const inUnit = (unit: string, line: string) => {
        const pid = on("vm-1").must(`systemctl show --value --property=MainPID ${unit}`).trim();
        const as = "setpriv --reuid heddle --regid heddle --clear-groups --bounding-set=-all";
        return on("vm-1").run(`nsenter --mount --target ${pid} ${as} sh -c 'cd /var/lib/heddle; ${line}'`);
      };
      const secrets = [
        ...["authority/authority.json", "control/controller.json", "control/operator.json"],
        ...["registry/registry.json", "registry/registry.db"],
      ];
      for (const path of secrets) {
        expect([path, inUnit("heddle-proxy", `cat ${path}`).err]).toEqual([
          path,
          expect.stringContaining("Permission denied"),
        ]);
        expect([path, inUnit("heddle-controller", `cat ${path}`).code]).toEqual([path, 0]);
      }
      for (const folder of ["authority", "control", "registry"])
        expect(inUnit("heddle-proxy", `mv ${folder} away`).code).not.toBe(0);
      for (const path of secrets.slice(0, 3))
        expect(inUnit("heddle-registry", `cat ${path}`).code).not.toBe(0);
      expect(inUnit("heddle-registry", "cat registry/registry.json").code).toBe(0);
      expect(inUnit("heddle-proxy", "cat credentials/node.json").code).toBe(0);
      // Also when the controller has written it since they began.
      on("vm-1").must("heddle address add 10.83.7.9 && heddle address remove 10.83.7.9");
      for (const unit of ["heddle-proxy", "heddle-registry"])
        for (const line of [
          "echo >> heddle.json",
          "rm -f heddle.json",
          "cp heddle.json x; mv -f x heddle.json",
        ])
          expect([unit, line, inUnit(unit, line).code === 0]).toEqual([unit, line, false]);
      expect(inUnit("heddle-controller", "rm -f x; touch heddle.json").code).toBe(0);
    },
    testMs,
  );

  const joinLine = (service: string): string => {
    const said = on("vm-1").must(`heddle token create --service ${service}`);
    return `./${/heddle join \S+ hd1\.\S+/.exec(said)?.[0] ?? said}`;
  };
  const settingsOf = (name: string) =>
    JSON.parse(on(name).must("cat /var/lib/heddle/heddle.json")) as {
      controllers: { host: string }[];
      modes: string[];
    };
  const hostsOf = (name: string): string[] => settingsOf(name).controllers.map(({ host }) => host);
  const issuedMs = (name: string): number =>
    (JSON.parse(on(name).must("cat /var/lib/heddle/credentials/node.json")) as { issuedMs: number }).issuedMs;
  const copyTo = (from: string, to: string, file: string): void =>
    copyFileSync(`${on(from).root}/root/${file}`, `${on(to).root}/root/${file}`);
  const untilConnected = (controller: string, those: readonly string[]) =>
    waitFor(
      `the controller of ${controller} knows ${those.join(", ")}`,
      () => {
        const said = on(controller).run("heddle status").out;
        return those.every((name) => new RegExp(`${name} +connected`).test(said)) ? true : null;
      },
      { everyMs: 250 },
    );
  const untilRenewed = async (sentence: string) => {
    const sinceMs = Date.now();
    await waitFor(
      sentence,
      () => (["vm-2", "vm-3"].every((name) => issuedMs(name) > sinceMs) ? true : null),
      {
        everyMs: 500,
        limitMs: 2 * hangMs,
      },
    );
  };
  const answers = (): string[] => on("vm-3").must("sort /root/answers | uniq -c").trim().split("\n");

  test(
    "requests go on while the control plane moves to another machine, and the machines renew with it there",
    async () => {
      for (const [name, service, port] of [
        ["vm-2", "orders", 8080],
        ["vm-3", "web", 8081],
      ] as const)
        on(name).must(
          `systemd-run --quiet --unit app python3 -m http.server ${port} --bind 127.0.0.1 --directory /srv && ${joinLine(service)} --service ${service} --port ${port}${service === "web" ? " --upstream orders=9001" : ""}`,
        );
      writeFileSync(`${on("vm-1").root}/root/mesh.yaml`, mesh);
      on("vm-1").must("heddle apply -f mesh.yaml");
      await waitFor("web reaches orders", () =>
        on("vm-3").run("curl -sf http://127.0.0.1:9001/").code === 0 ? true : null,
      );
      writeFileSync(`${on("vm-3").root}/root/load.sh`, load);
      on("vm-3").must("systemd-run --quiet --unit load sh /root/load.sh");
      on("vm-1").must("heddle backup earlier.heddle && stat -c %a earlier.heddle | grep -x 600");

      expect(on("vm-1").must("heddle address add 10.83.7.4")).toContain("known to    3 of 3 machines");
      for (const name of ["vm-2", "vm-3"]) expect(hostsOf(name)).toEqual(["10.83.7.1", "10.83.7.4"]);
      on("vm-1").must("printf 'open sesame' > /root/words");
      on("vm-1").must("heddle backup mesh.heddle --retire --passphrase-file words");
      expect(on("vm-1").run("systemctl is-active heddle-controller heddle-registry").out).toBe(
        "inactive\ninactive\n",
      );
      expect(on("vm-1").must("systemctl cat heddle-proxy")).not.toContain("heddle.json");
      copyTo("vm-1", "vm-4", "mesh.heddle");
      copyTo("vm-1", "vm-4", "words");
      on("vm-4").must("./heddle restore mesh.heddle --node vm-4 --address 10.83.7.4 --passphrase-file words");
      await untilConnected("vm-4", names);
      await waitFor("the machines forget where it was", () =>
        ["vm-2", "vm-3"].every((name) => hostsOf(name).join() === "10.83.7.4") ? true : null,
      );
      await untilRenewed("certificates come from the new place");
      expect(on("vm-4").must("heddle get")).toContain("orders");
      expect(answers()).toEqual([expect.stringMatching(/^\d+ 200$/)]);
    },
    3 * testMs,
  );

  test(
    "a control plane whose machine is lost comes back from a backup on a member, and each machine that is told of it follows",
    async () => {
      await on("vm-4").cut();
      const refused = on("vm-1").run("heddle join 10.83.7.3:7443");
      expect([refused.code, refused.err]).toEqual([
        2,
        expect.stringContaining("does not show that it is of that mesh"),
      ]);
      on("vm-1").must("heddle restore earlier.heddle --address 10.83.7.1");
      expect(on("vm-1").run("heddle restore earlier.heddle").err).toContain(
        "holds the control plane of corp.example already",
      );
      const pid = on("vm-2").must("systemctl show --value --property=MainPID heddle-proxy");
      for (const name of ["vm-2", "vm-3"]) on(name).must("heddle join 10.83.7.1:7443");
      await untilConnected("vm-1", ["vm-1", "vm-2", "vm-3"]);
      expect(on("vm-2").must("systemctl show --value --property=MainPID heddle-proxy")).toBe(pid);
      await untilRenewed("certificates come from the restored authority");
      expect(answers()).toEqual([expect.stringMatching(/^\d+ 200$/)]);
      expect(on("vm-1").run("heddle check").out).not.toContain("✗");
    },
    3 * testMs,
  );
});
