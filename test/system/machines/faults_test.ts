/**
 * Faults of machines: full and read-only disks, no memory, no network. Requests between two other machines, or what the machine was
 * before, is what must not suffer. (No power: power_test.ts.) A step of the clock is no fault that a guest can have: it shares the
 * host's (test/system/seeded_faults_test.ts steps the clock of a process instead).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { Machines, machinesMissing, memoryMissing, type Machine } from "../../support/machines.ts";
import { hangMs, testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;
const names = ["vm-1", "vm-2", "vm-3"];
/** So short that certificates are renewed while the test looks. */
const leafTtl = "40s";
const readyMs = 300;
/** More than it has room for in what it holds already. */
const memoryBytes = 1_048_576;
const mesh = `
{kind: Service, name: orders, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;

describe.skipIf(why !== null)(`a machine with a fault${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines | null = null;
  const on = (name: string): Machine => {
    if (machines === null) throw new Error("The machines did not start");
    return machines.get(name);
  };
  const shown = (name: string, unit: string, property: string): string =>
    on(name).must(`systemctl show --value --property=${property} ${unit}`).trim();
  const answered = (): true | null =>
    on("vm-3").run("curl -s -m 5 -o /dev/null -w '%{http_code}' http://127.0.0.1:9001/").out === "200"
      ? true
      : null;
  const untilAnswered = (sentence: string) =>
    waitFor(sentence, answered, { everyMs: 100, limitMs: 2 * hangMs });
  const joinLine = (service: string): string => {
    const said = on("vm-1").must(`heddle token create --service ${service}`);
    return `./${/heddle join \S+ hd1\.\S+/.exec(said)?.[0] ?? said}`;
  };
  const pid = (name: string): string => shown(name, "heddle-proxy", "MainPID");
  const log = (name: string): string => on(name).must("journalctl -u heddle-proxy --no-pager -o cat");

  beforeAll(async () => {
    machines = await Machines.start(names);
    for (const name of names) {
      copyFileSync(binaryPath, `${on(name).root}/root/heddle`);
      chmodSync(`${on(name).root}/root/heddle`, 0o755);
    }
    on("vm-1").must(`./heddle init --trust-domain corp.example --address 10.83.7.1 --leaf-ttl ${leafTtl}`);
    writeFileSync(`${on("vm-1").root}/root/mesh.yaml`, mesh);
    on("vm-1").must("heddle apply -f mesh.yaml");
    // A disk of its own for the state, small enough to be filled.
    on("vm-2").must("mkdir -p /var/lib/heddle && mount -t tmpfs -o size=4m,mode=0700 tmpfs /var/lib/heddle");
    for (const [name, port] of [
      ["vm-2", 8080],
      ["vm-3", 8081],
    ] as const) {
      const unit = `[Service]\nExecStart=python3 -m http.server ${port} --bind 127.0.0.1 --directory /srv\n[Install]\nWantedBy=multi-user.target\n`;
      writeFileSync(`${on(name).root}/etc/systemd/system/app.service`, unit);
      on(name).must("systemctl daemon-reload && systemctl enable --now app");
    }
    on("vm-2").must(`${joinLine("orders")} --service orders --port 8080`);
    on("vm-3").must(`${joinLine("web")} --service web --port 8081 --upstream orders=9001`);
    await untilAnswered("web reaches orders");
  }, 2 * testMs);
  afterAll(async () => await machines?.stop(), testMs);

  test(
    "whose disk is full goes on with what it has, says so, and keeps what is renewed once there is room",
    async () => {
      on("vm-2").run("head -c 8m /dev/zero > /var/lib/heddle/filler");
      await waitFor(
        "the proxy says that nothing can be kept",
        () => (/no space is left/.test(log("vm-2")) ? true : null),
        {
          everyMs: 250,
          limitMs: 2 * hangMs,
        },
      );
      expect(answered()).toBe(true);
      const said = on("vm-2").run("heddle check").out;
      expect(said).toMatch(/✗ HED0012 state folder: .*no space is left\n +Make room/);
      expect(said).toMatch(/! HED0019 disk: 0 MiB are free/);
      on("vm-2").must("rm /var/lib/heddle/filler");
      const renewed = "the certificates are renewed";
      await waitFor("it is kept again", () => (log("vm-2").includes(renewed) ? true : null), {
        everyMs: 250,
        limitMs: 2 * hangMs,
      });
      expect(answered()).toBe(true);
    },
    4 * testMs,
  );

  test(
    "whose state can only be read serves, also after its proxy was started again",
    async () => {
      on("vm-2").must("mount -o remount,ro /var/lib/heddle");
      on("vm-2").run("systemctl restart heddle-proxy");
      await untilAnswered("web reaches orders while its state is read-only");
      expect(on("vm-2").run("heddle check").out).toMatch(/✗ HED0012 state folder: .*read-only/);
      // A unit has the mounts that stood when it started.
      on("vm-2").must("mount -o remount,rw /var/lib/heddle && systemctl restart heddle-proxy");
      await untilAnswered("web reaches orders");
    },
    3 * testMs,
  );

  test.skipIf(memoryMissing !== null)(
    `whose proxy takes all the memory that it may have has it back at once${memoryMissing === null ? "" : ` (skipped: ${memoryMissing})`}`,
    async () => {
      const before = pid("vm-2");
      const release = on("vm-2").holdToMemory("heddle-proxy", memoryBytes);
      const ended = (): true | null => {
        answered();
        return pid("vm-2") === before ? null : true;
      };
      await waitFor("the kernel has ended it", ended, { everyMs: 100, limitMs: 2 * hangMs });
      release();
      await untilAnswered("web reaches orders after the proxy was ended for its memory");
      expect(shown("vm-2", "heddle-proxy", "ActiveState")).toBe("active");
      expect(on("vm-2").must("journalctl -u heddle-proxy --no-pager -o cat")).toMatch(
        /code=killed, status=9\/KILL|oom-kill/,
      );
    },
    3 * testMs,
  );

  test(
    "that is cut off loses its lease, is called no more, and is called again when it is back",
    async () => {
      const known = (): string => on("vm-1").must("heddle status");
      const isKnown = (): boolean => /orders\S* .*vm-2/.test(known());
      await waitFor("its instance is known", () => (isKnown() ? true : null), { everyMs: 250 });
      on("vm-2").must("ip link set eth0 down");
      await waitFor("its lease is over", () => (isKnown() ? null : true), {
        everyMs: 500,
        limitMs: 2 * hangMs,
      });
      const refused = on("vm-3").run(
        "curl -s -m 5 -o /dev/null -w '%{http_code}' http://127.0.0.1:9001/",
      ).out;
      expect(refused).toBe("503");
      on("vm-2").must("ip link set eth0 up");
      await untilAnswered("web reaches orders when the machine is back");
    },
    3 * testMs,
  );

  test(
    `whose proxy starts again from what is on its disk is ready within ${readyMs} ms of a processor`,
    () => {
      const taken = Array.from({ length: 5 }, () => {
        on("vm-3").must("systemctl restart heddle-proxy");
        return Number(shown("vm-3", "heddle-proxy", "CPUUsageNSec")) / 1e6;
      });
      console.log(`ready after ${taken.map((ms) => ms.toFixed(0)).join(", ")} ms of a processor`);
      // Others on the same processors make the caches cold; the least tells of heddle.
      expect(Math.min(...taken)).toBeLessThan(readyMs);
    },
    testMs,
  );

  test(
    "whose proxy does not run is told to start its service",
    () => {
      on("vm-3").must("systemctl stop heddle-proxy");
      expect(on("vm-3").run("heddle check").out).toMatch(
        /✗ HED0008 proxy: .*\n +Start it: systemctl start heddle-proxy\n/,
      );
      on("vm-3").must("systemctl start heddle-proxy");
    },
    testMs,
  );
});
