/** A machine that loses its power at each step of joining, and of attaching a unit: the command, typed again, does the rest. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { hangMs, testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;
const documents = "{kind: Service, name: web, port: 80, protocol: http}\n";
const unit = `[Service]
ExecStart=python3 -m http.server 8081 --bind 127.0.0.1 --directory /srv
[Install]
WantedBy=multi-user.target
`;
/** As commands tell what they do. */
const step = /^ {2}(?:write|copy|run|remove) .*$/gm;

describe.skipIf(why !== null)(`a machine without power${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines | null = null;
  const on = (name: string): Machine => {
    if (machines === null) throw new Error("The machines did not start");
    return machines.get(name);
  };
  const joinLine = (): string => {
    const said = on("vm-1").must("heddle token create --service web");
    return `/root/${/heddle join \S+ hd1\.\S+/.exec(said)?.[0] ?? said}`;
  };
  const said = (): string => `${on("vm-2").root}/root/said`;
  const stepsSaid = (): readonly string[] =>
    existsSync(said()) ? (readFileSync(said(), "utf8").match(step) ?? []) : [];

  /** Cuts the power while that step is done; null: there are fewer. Otherwise the step, with the machine up again. */
  async function cutAt(line: string, at: number): Promise<string | null> {
    const { root } = on("vm-2");
    rmSync(said(), { force: true });
    writeFileSync(`${root}/root/line.sh`, `${line} > /root/said 2>&1; echo ended >> /root/said\n`);
    on("vm-2").must("systemctl reset-failed; systemd-run --quiet --collect sh /root/line.sh");
    const reached = await waitFor(
      `step ${at} of ${line}`,
      () => (stepsSaid().length > at ? "step" : /^ended$/m.test(readIfThere(said())) ? "end" : null),
      { everyMs: 1, limitMs: 2 * hangMs },
    );
    if (reached === "end") return null;
    await on("vm-2").cut();
    await on("vm-2").start();
    return stepsSaid()[at] ?? "";
  }

  beforeAll(async () => {
    machines = await Machines.start(["vm-1", "vm-2"]);
    for (const name of ["vm-1", "vm-2"]) {
      copyFileSync(binaryPath, `${on(name).root}/root/heddle`);
      chmodSync(`${on(name).root}/root/heddle`, 0o755);
    }
    on("vm-1").must("./heddle init --trust-domain corp.example --address 10.83.7.1");
    writeFileSync(`${on("vm-1").root}/root/mesh.yaml`, documents);
    on("vm-1").must("heddle apply -f mesh.yaml");
    writeFileSync(`${on("vm-2").root}/etc/systemd/system/web.service`, unit);
    on("vm-2").must("systemctl daemon-reload && systemctl enable --now web");
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  test(
    "at any step of a join joins when the line is typed again",
    async () => {
      const moments: string[] = [];
      for (;;) {
        const line = joinLine();
        const moment = await cutAt(line, moments.length);
        // A token that was spent on an answer that never came is gone, and says so.
        const again = on("vm-2").run(line);
        if (again.code !== 0) {
          expect(again.err).toContain("token");
          on("vm-2").must(joinLine());
        }
        expect([moment, on("vm-2").must("systemctl is-active heddle-proxy").trim()]).toEqual([
          moment,
          "active",
        ]);
        expect(on("vm-2").run("ls /run/heddle.changing").code).not.toBe(0);
        expect(on("vm-1").must("heddle status")).toMatch(/vm-2 +connected/);
        if (moment === null) break;
        moments.push(moment);
        on("vm-2").must("heddle uninstall --purge");
        on("vm-1").must("heddle node remove vm-2");
      }
      console.log(`power lost at ${moments.length} steps of a join:\n${moments.join("\n")}`);
      expect(moments.length).toBeGreaterThan(5);
    },
    10 * testMs,
  );

  test(
    "at any step of an attach has its unit attached when the line is typed again",
    async () => {
      const line = "/usr/local/bin/heddle attach web.service --port 8081";
      const moments: string[] = [];
      for (;;) {
        const moment = await cutAt(line, moments.length);
        on("vm-2").must(line);
        const after = on("vm-2").must("systemctl show --value --property=After web");
        expect([moment, after]).toEqual([moment, expect.stringContaining("heddle-proxy.service")]);
        const ready = () =>
          /web\.default +vm-2 +ready .*web\.service/.test(on("vm-1").run("heddle status").out) ? true : null;
        await waitFor(`the unit is an instance after ${moment ?? "all"}`, ready, { limitMs: 2 * hangMs });
        if (moment === null) break;
        moments.push(moment);
        on("vm-2").must("heddle detach web.service");
      }
      console.log(`power lost at ${moments.length} steps of an attach:\n${moments.join("\n")}`);
      expect(moments.length).toBeGreaterThan(1);
    },
    6 * testMs,
  );
});

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
