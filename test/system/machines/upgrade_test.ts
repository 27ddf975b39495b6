/**
 * `heddle upgrade` on a machine with systemd: another program takes over from each of its modes while clients connect and streams stand,
 * and is the service to its manager; one that cannot changes nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import type { Said } from "../../support/command.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const state = "/var/lib/heddle";
const etcdPath = "/usr/bin/etcd";
const hasEtcd = existsSync(etcdPath);

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;

const documents = `
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: orders, port: 80, protocol: http}
---
{kind: Service, name: pipe, port: 5000, protocol: tcp}
`;
const machineDocument = `
kind: Machine
services:
- {service: pipe, port: 8082}
- service: orders
  port: 8080
  upstreams: [{service: orders, bind: "127.0.0.1:9001"}, {service: pipe, bind: "127.0.0.1:9002"}]
`;
const echo = `
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line)
server = socketserver.ThreadingTCPServer(("127.0.0.1", 8082), Echo)
server.daemon_threads = True
server.serve_forever()
`;
/** Look-ups over UDP until it is told to end; how many were not answered. */
const lookUps = `
import os, socket, time
query = bytes.fromhex("123401000001000000000000066f7264657273046d6573680000010001")
good = bad = 0
while not os.path.exists("/root/enough"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(4)
        client.connect(("127.0.0.1", 7453))
        try:
            client.send(query)
            good, bad = (good + 1, bad) if client.recv(512)[3] & 15 == 0 else (good, bad + 1)
        except OSError: bad += 1
    time.sleep(0.002)
print(bad, "of", "many" if good > 100 else good)
`;

describe.skipIf(why !== null)(`a machine with systemd${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines;
  let machine: Machine;

  beforeAll(async () => {
    machines = await Machines.start(["vm-1"]);
    machine = machines.get("vm-1");
    copyFileSync(binaryPath, `${machine.root}/root/heddle`);
    chmodSync(`${machine.root}/root/heddle`, 0o755);
    writeFileSync(`${machine.root}/srv/hello`, "hello\n");
    writeFileSync(`${machine.root}/root/mesh.yaml`, documents);
    writeFileSync(`${machine.root}/root/machine.yaml`, machineDocument);
    writeFileSync(`${machine.root}/root/look_ups.py`, lookUps);
    writeFileSync(`${machine.root}/root/echo.py`, echo);
    machine.must("systemd-run python3 -m http.server 8080 --bind 127.0.0.1 --directory /srv");
    machine.must("systemd-run python3 /root/echo.py");
    machine.must(
      `./heddle init --trust-domain corp.example --address ${machine.address} --machine machine.yaml`,
    );
    machine.must("heddle apply -f mesh.yaml");
    await waitFor("the app is reached", () => (machine.run(asked).code === 0 ? true : null), {
      everyMs: 100,
    });
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  const asked = "curl -fsS -m 5 http://127.0.0.1:9001/hello";
  const modes = ["registry", "controller", "proxy"] as const;
  const shown = (property: string): string[] =>
    modes.map((mode) => machine.must(`systemctl show --value --property=${property} heddle-${mode}`).trim());
  const upgrade = (words: string): Said => machine.run(`heddle upgrade ${words}`, { limitMs: testMs });

  /** A program beside it that does what `script` says, with the real one as $real. */
  function write(script: string): void {
    writeFileSync(`${machine.root}/root/other`, `#!/bin/sh\nreal=/usr/local/bin/heddle\n${script}\n`, {
      mode: 0o755,
    });
  }

  test(
    "lets another program take over from each mode, which is the service from then on, and goes back",
    () => {
      const before = shown("MainPID");
      writeFileSync(
        `${machine.root}/root/longer`,
        Buffer.concat([readFileSync(binaryPath), Buffer.from("\n")]),
        {
          mode: 0o755,
        },
      );
      const { code, err } = upgrade("./longer");
      expect([code, err.match(/goes on as process/g)?.length]).toEqual([0, 3]);
      const after = shown("MainPID");
      expect(after.filter((pid) => before.includes(pid))).toEqual([]);
      machine.must(
        `${asked} && cmp longer /usr/local/bin/heddle && cmp heddle /usr/local/bin/heddle.previous`,
      );
      expect(upgrade("--back").code).toBe(0);
      expect(shown("MainPID").filter((pid) => after.includes(pid))).toEqual([]);
      machine.must(`${asked} && cmp heddle /usr/local/bin/heddle`);
      machine.must("heddle check --output json > /dev/null || true; heddle status");
      expect(shown("NRestarts")).toEqual(["0", "0", "0"]);
      // What is named after a program is named after this one.
      expect(
        machine
          .must(`ps -o comm= -p ${shown("MainPID").join()}`)
          .trim()
          .split(/\s+/),
      ).toEqual([...["heddle", "heddle", "heddle"]]);
    },
    testMs,
  );

  for (const [what, command] of [
    ["another program takes over", "heddle upgrade ./heddle"],
    ["it is started again", "systemctl restart heddle-proxy"],
  ] as const)
    test(
      `answers every look-up over UDP while ${what}`,
      () => {
        const line = `rm -f enough; python3 look_ups.py > said & sleep 1; ${command} && sleep 1; touch enough; wait; cat said`;
        expect(machine.run(line, { limitMs: testMs }).out).toBe("0 of many\n");
      },
      testMs,
    );

  for (const [what, script, said] of [
    ["crashes", "echo cannot map libc >&2; kill -9 $$", "was ended by SIGKILL: cannot map libc"],
    ["hangs", "sleep 600", "it hung for 10 s"],
    ["is another one", 'echo \'{"version": "5.1"}\'', "heddle 5.1 does not know how to take over"],
    ["is none", "echo hello", 'it says no version of heddle but "hello\\n"'],
    [
      "reads older states alone",
      `echo '{"version": "0.0.9", "state": {"writes": 0, "from": 0}}'`,
      "the state in /var/lib/heddle is of format 1, and heddle 0.0.9 reads 0 to 0",
    ],
  ] as const)
    test(
      `goes on as it is where the other program ${what}`,
      () => {
        const before = shown("MainPID");
        write(script);
        const { code, err } = upgrade("./other");
        expect([code, shown("MainPID")]).toEqual([2, before]);
        expect(err).toContain(said);
        expect(machine.must("ls -A /usr/local/bin").split("\n").sort().join(" ")).not.toContain("next");
      },
      testMs,
    );

  test(
    "is refused while another command changes services, and says which process holds it up",
    () => {
      const before = shown("MainPID");
      const held = "touch held; until test -e enough; do sleep 0.1; done";
      const { out } = machine.run(
        `rm -f held enough; flock /run/heddle.lock sh -c '${held}' & until test -e held; do sleep 0.1; done; heddle upgrade ./heddle 2>&1; echo $?; touch enough; wait`,
        { limitMs: testMs },
      );
      expect(out).toMatch(
        /^error: Cannot upgrade: process \d+ \(flock \/run\/heddle\.lock .*\) changes the services of this machine now\n.*\n2\n$/,
      );
      expect(shown("MainPID")).toEqual(before);
    },
    testMs,
  );

  for (const [mode, what, script] of [
    ["proxy", "crashes", '[ "$1" = proxy ] && exit 7; exec $real "$@"'],
    ["proxy", "hangs", '[ "$1" = proxy ] && exec sleep 600; exec $real "$@"'],
    // It is there, and then it cannot serve, when the one before has ended.
    [
      "registry",
      "does not serve",
      '[ "$1" = registry ] && mkdir -p /tmp/none && HEDDLE_STATE=/tmp/none exec $real "$@"; exec $real "$@"',
    ],
  ] as const)
    test(
      `is rolled back where the ${mode} of the other program ${what}`,
      async () => {
        write(script);
        const { code, err } = upgrade("./other");
        expect(code).toBe(2);
        expect(err).toContain(`Cannot upgrade heddle-${mode}.service: `);
        expect(shown("ActiveState")).toEqual(["active", "active", "active"]);
        expect(shown("NRestarts")).toEqual(["0", "0", "0"]);
        machine.must(`${asked} && cmp heddle /usr/local/bin/heddle`);
        const runs = shown("MainPID").map((pid) => machine.must(`readlink /proc/${pid}/exe`).trim());
        expect(runs).toEqual(modes.map(() => "/usr/local/bin/heddle"));
        await waitFor("a document is applied", () =>
          machine.run("heddle apply -f mesh.yaml").code === 0 ? true : null,
        );
      },
      testMs,
    );

  test(
    "is started again by its manager where the process that took over dies while the one before still has streams",
    async () => {
      await openStream();
      expect(upgrade("./heddle").code).toBe(0);
      expect(processes()).toBe(2);
      machine.must(`kill -9 ${shown("MainPID")[2]}`);
      await startedAgain("1");
    },
    testMs,
  );

  test(
    "is started again by its manager where the process that took over stands still",
    async () => {
      await openStream();
      expect(upgrade("./heddle").code).toBe(0);
      machine.must(`kill -STOP ${shown("MainPID")[2]}`);
      await startedAgain("2");
    },
    testMs,
  );

  test(
    "is the service of a manager that heard nothing of it, too, once the process before has ended",
    async () => {
      const [folder, ...before] = ["/run/systemd/system/heddle-proxy.service.d", ...shown("NRestarts")];
      machine.must(
        `mkdir ${folder} && printf '[Service]\\nNotifyAccess=none\\nWatchdogSec=0\\n' > ${folder}/deaf.conf && systemctl daemon-reload`,
      );
      const main = shown("MainPID")[2];
      expect(upgrade("./heddle").code).toBe(0);
      await waitFor("the process before has ended", () => (processes() === 1 ? true : null));
      expect(shown("MainPID")[2]).not.toBe(main);
      expect([shown("MainPID")[2], shown("NRestarts")]).toEqual([
        machine.must("pgrep -f '^[^ ]*heddle proxy'").trim(),
        before,
      ]);
      machine.must(`rm -r ${folder} && systemctl daemon-reload && ${asked}`);
    },
    testMs,
  );

  test(
    "has four processes at most that let their streams finish: a fifth upgrade waits, or ends the oldest",
    async () => {
      for (let generation = 1; generation <= 4; generation++) {
        await openStream();
        expect(upgrade("./heddle").code).toBe(0);
        expect([processes(), standing()]).toEqual([generation + 1, generation]);
      }
      await openStream();
      const before = shown("MainPID");
      const { code, err } = upgrade("./heddle");
      expect([code, shown("MainPID"), standing()]).toEqual([2, before, 5]);
      expect(err).toContain("4 processes from which others took over still let what they have open finish");
      expect(upgrade("./heddle --cut-after 1s").code).toBe(0);
      await waitFor("the oldest stream is cut", () => (standing() === 4 ? true : null));
      expect(processes()).toBe(5);
      machine.must("systemctl stop 'stream-*'");
      await waitFor("those that were taken over from have ended", () => (processes() === 1 ? true : null));
      machine.must(asked);
    },
    testMs,
  );

  test.skipIf(!hasEtcd)(
    `goes on over etcd, and back, where the registry keeps everything there${hasEtcd ? "" : " (needs etcd)"}`,
    async () => {
      copyFileSync(etcdPath, `${machine.root}/root/etcd`);
      const url = "etcd://127.0.0.1:2379/heddle";
      machine.must("systemd-run --quiet --unit=etcd /root/etcd --data-dir=/srv/etcd --log-level=error");
      await waitFor("etcd answers", () =>
        machine.run("curl -fsS -m 5 http://127.0.0.1:2379/health").out.includes('"true"') ? true : null,
      );
      machine.must(
        `systemctl stop heddle-registry && heddle registry copy ${state}/registry/registry.db ${url}`,
      );
      machine.must(`sed -i 's#^{#{"store": "${url}",#' ${state}/heddle.json`);
      machine.must("systemctl restart heddle-registry heddle-controller heddle-proxy");
      const applied = () =>
        waitFor("a document is applied", () =>
          machine.run("heddle apply -f mesh.yaml").code === 0 ? true : null,
        );
      await applied();
      const before = shown("MainPID");
      expect(upgrade("./heddle").code).toBe(0);
      expect(shown("MainPID").filter((pid) => before.includes(pid))).toEqual([]);
      await applied();
      write(
        '[ "$1" = registry ] && mkdir -p /tmp/none && HEDDLE_STATE=/tmp/none exec $real "$@"; exec $real "$@"',
      );
      expect(upgrade("./other")).toMatchObject({
        code: 2,
        err: expect.stringContaining("Cannot upgrade heddle-registry.service: "),
      });
      await applied();
      expect(shown("NRestarts")).toEqual(["0", "0", "0"]);
      machine.must(asked);
    },
    testMs,
  );

  let streams = 0;
  const standing = (): number => Number(machine.must("ss -tnH state established dport = :9002 | wc -l"));
  const processes = (): number => Number(machine.must("pgrep -fc '^[^ ]*heddle proxy'"));

  /** An opaque connection on which something has come back, and nothing more is said. */
  async function openStream(): Promise<void> {
    const name = `stream-${streams++}`;
    const opened = "exec 3<>/dev/tcp/127.0.0.1/9002; echo hello >&3; read -r line <&3";
    machine.must(
      `systemd-run --unit=${name} bash -c 'until ${opened}; do sleep 0.1; done; echo > /root/${name}; cat <&3'`,
    );
    await waitFor("the stream stands", () => (machine.run(`test -e ${name}`).code === 0 ? true : null));
  }

  async function startedAgain(restarts: string): Promise<void> {
    await waitFor("the proxy serves again", () =>
      shown("NRestarts")[2] === restarts && machine.run(asked).code === 0 ? true : null,
    );
    expect([processes(), standing()]).toEqual([1, 0]);
  }
});
