/** The machine of the control plane: what its proxy cannot reach, and how the rest of it lives on elsewhere. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;

describe.skipIf(why !== null)(`the control plane${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines | null = null;

  beforeAll(async () => {
    machines = await Machines.start(["vm-1"]);
    for (const name of ["vm-1"]) {
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
    () => {
      const init = "./heddle init --trust-domain corp.example --address 10.83.7.1";
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
      expect(on("vm-1").must("heddle status")).toMatch(/vm-1 +connected/);
    },
    testMs,
  );

  test(
    "what runs as the proxy's unit does reads no key of the authority, no operator's credential, and nothing of the registry",
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
      for (const path of secrets.slice(0, 3)) expect(inUnit("heddle-registry", `cat ${path}`).code).not.toBe(0);
      expect(inUnit("heddle-registry", "cat registry/registry.json").code).toBe(0);
      expect(inUnit("heddle-proxy", "cat credentials/node.json").code).toBe(0);
    },
    testMs,
  );
});
