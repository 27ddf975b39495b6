/**
 * Several units of one machine that call: each as its own service, whichever listener it uses; a job of a timer as its own, too; who is no
 * attached unit as nobody. A machine with the real systemd, its real cgroups and its real sockets.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { ports } from "../../../src/model/ports.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;
const restarts = 100;

const mesh = `
{kind: Service, name: orders, port: 80, protocol: http}
---
{kind: Service, name: db, port: 5432, protocol: tcp}
---
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: report, port: 80}
---
{kind: Service, name: shop, port: 8090, protocol: http}
---
{kind: Access, name: orders, service: orders, allow: [{from: web, methods: [GET]}, {from: report, methods: [GET]}]}
---
{kind: Access, name: db, service: db, allow: [{from: web}]}
`;
/** What it is told to do by `systemctl reload` it does inside of its own cgroup. */
const appUnit = (name: string, port: number): string => `[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=python3 -m http.server ${port} --bind 127.0.0.1 --directory /srv
ExecReload=sh /root/call ${name}
[Install]
WantedBy=multi-user.target
`;
const jobUnit = "[Service]\nType=oneshot\nExecStart=sh /root/call report\n";
const callScript = 'curl -sS -m 5 -w "\\n%{http_code}" "$(cat /root/url)" > /srv/$1.said 2>&1; exit 0\n';
/** Makes a socket, and hands it to whoever listens for it. */
const makerScript = `import socket, sys, time
made = socket.socket()
to = socket.socket(socket.AF_UNIX)
while True:
    try:
        to.connect("/run/handed")
        break
    except OSError:
        time.sleep(0.02)
socket.send_fds(to, [b"x"], [made.fileno()])
time.sleep(float(sys.argv[1]))
`;
/** Calls by a socket that it is handed, once that path is gone. */
const takerScript = `import os, socket, sys, time
if os.path.exists("/run/handed"):
    os.unlink("/run/handed")
door = socket.socket(socket.AF_UNIX)
door.bind("/run/handed")
door.listen()
maker, _ = door.accept()
_, handed, _, _ = socket.recv_fds(maker, 1, 1)
while os.path.exists(sys.argv[2]):
    time.sleep(0.02)
call = socket.socket(fileno=handed[0])
call.connect((sys.argv[1], 80))
call.sendall(b"GET /hello HTTP/1.1\\r\\nhost: orders.mesh\\r\\nconnection: close\\r\\n\\r\\n")
while part := call.recv(9999):
    sys.stdout.buffer.write(part)
`;

describe.skipIf(why !== null)(`units that call${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines;
  let machine: Machine;

  beforeAll(async () => {
    machines = await Machines.start(["vm-1"]);
    machine = machines.get("vm-1");
    copyFileSync(binaryPath, `${machine.root}/root/heddle`);
    chmodSync(`${machine.root}/root/heddle`, 0o755);
    write("/root/mesh.yaml", mesh);
    write("/root/call", callScript);
    write("/srv/hello", "hello\n");
    const units: readonly (readonly [string, number])[] = [
      ["orders", 8080],
      ["web", 8081],
      ["mail", 8082],
      ["db", 8083],
    ];
    for (const [name, port] of units) write(`/etc/systemd/system/${name}.service`, appUnit(name, port));
    write("/etc/systemd/system/report.service", jobUnit);
    write(
      "/etc/systemd/system/shop@.service",
      appUnit("shop", 0).replace("http.server 0", "http.server 809%i"),
    );
    write("/etc/systemd/system/report.timer", "[Timer]\nOnActiveSec=100ms\nAccuracySec=1ms\n");
    const names = units.map(([name]) => name);
    machine.must(`systemctl daemon-reload && systemctl start ${names.join(" ")}`);
    machine.must("./heddle init --trust-domain corp.example --address 10.83.7.1");
    machine.must("heddle apply -f mesh.yaml");
    for (const [name, port] of units) machine.must(`heddle attach ${name}.service --port ${port}`);
    await waitFor("orders and db have addresses", () => (address("orders") && address("db") ? true : null));
    machine.must(`echo ${address("orders")} orders.mesh >> /etc/hosts`);
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  const write = (path: string, text: string): void => writeFileSync(`${machine.root}${path}`, text);
  function address(name: string): string | null {
    const page = machine.run("curl -sS http://127.0.0.1:9464/config").out;
    return new RegExp(`"${name}\\.default[^"]*?(127(?:\\.\\d+){3})`).exec(page)?.[1] ?? null;
  }
  /** What the unit's call was answered. */
  function told(unit: string, url = "http://orders.mesh/hello"): string {
    write("/root/url", url);
    machine.must(`systemctl reload ${unit}`);
    return machine.must(`cat /srv/${unit}.said`);
  }
  /** Of its HTTP listener: they were attached in this order. */
  const portOf = (name: string): number =>
    ports.outboundFirst + ["orders", "web", "mail", "db"].indexOf(name);
  const curl = "curl -sS -m 5 -w '%{http_code}'";

  test(
    "are told apart at one address: the one that may call is answered, the other is told whose identity it has",
    async () => {
      await waitFor("web is answered", () => (told("web") === "hello\n\n200" ? true : null));
      expect(told("mail")).toMatch(/mail\.default may not GET \/hello of orders\.default[^]*403$/);
      expect(told("web")).toBe("hello\n\n200");
    },
    testMs,
  );

  test(
    "keep their identity at the outbound listener of another service",
    () => {
      write("/root/call", `http_proxy=http://127.0.0.1:${portOf("web")} ${callScript}`);
      expect(told("mail")).toContain("mail.default may not GET");
      write("/root/call", `http_proxy=http://127.0.0.1:${portOf("mail")} ${callScript}`);
      expect(told("web")).toBe("hello\n\n200");
      write("/root/call", callScript);
    },
    testMs,
  );

  test(
    `have it from their first call on after each of ${restarts} restarts`,
    () => {
      const line = `for i in $(seq ${restarts / 20}); do systemctl restart web && systemctl reload web && grep -qx 200 /srv/web.said || { echo $i; cat /srv/web.said; exit 1; }; done`;
      write("/root/url", "http://orders.mesh/hello");
      // Each has the whole time that a command may take.
      for (let part = 0; part < 20; part++) expect(machine.run(line)).toMatchObject({ code: 0, out: "" });
    },
    testMs,
  );

  test(
    "that are no instances call as their service when a timer starts them, end normally, and are run again",
    async () => {
      const said = machine.run("heddle attach report.service").err;
      expect(said).toContain("report.service calls as report.default from now on");
      write("/root/url", "http://orders.mesh/hello");
      machine.must("systemctl start report.timer");
      const ended = () =>
        machine.run("systemctl show --value -p ExecMainExitTimestampMonotonic report").out.trim() === "0"
          ? null
          : true;
      await waitFor("the job has run", ended, { everyMs: 100 });
      expect(machine.must("cat /srv/report.said")).toBe("hello\n\n200");
      expect(machine.must("systemctl show --value -p Result -p ActiveState report")).toBe(
        "success\ninactive\n",
      );
      machine.must("rm /srv/report.said && systemctl start report");
      expect(machine.must("cat /srv/report.said")).toBe("hello\n\n200");
      expect(machine.run("heddle check").out).toContain("certificate of report.default");
    },
    testMs,
  );

  test(
    "and are not attached have no identity: they are told so, and how to attach them",
    () => {
      const refused = machine.must(
        `systemd-run --quiet --wait --pipe --unit=cron ${curl} http://orders.mesh/hello`,
      );
      expect(refused).toContain("cron.service is not attached");
      expect(refused).toContain("heddle attach cron.service");
      expect(refused).toEndWith("403");
      const proxied = `-x http://127.0.0.1:${portOf("web")} http://orders.mesh/hello`;
      expect(machine.must(`systemd-run --quiet --wait --pipe --unit=cron ${curl} ${proxied}`)).toContain(
        "cron.service is not attached",
      );
      expect(machine.must("journalctl -u heddle-proxy -o cat")).toMatch(
        /"flags":"ID","side":"downstream","detail":"cron\.service is not attached/,
      );
    },
    testMs,
  );

  test(
    "and use a socket that another unit made have its maker's identity, and none once its maker is gone",
    () => {
      write("/root/maker.py", makerScript);
      write("/root/taker.py", takerScript);
      const handed = (waits: string): string => {
        write(
          "/root/call",
          `python3 /root/taker.py ${address("orders")} ${waits} > /srv/$1.said 2>&1; exit 0\n`,
        );
        const line = `systemd-run --quiet --unit=cron python3 /root/maker.py ${waits === "-" ? 60 : 0}`;
        machine.must(
          `${line} && systemctl reload web; systemctl stop cron; systemctl reset-failed cron; true`,
        );
        return machine.must("cat /srv/web.said");
      };
      expect(handed("-")).toContain("cron.service is not attached");
      expect(handed("/sys/fs/cgroup/system.slice/cron.service")).toMatch(
        /^HTTP\/1.1 403 [^]*which unit calls cannot be told/,
      );
      write("/root/call", callScript);
      expect(told("web")).toBe("hello\n\n200");
    },
    testMs,
  );

  test(
    "are not taken for a login: root's is the owner of each listener, other users are nobody",
    () => {
      const call = `${curl} -x http://127.0.0.1:${portOf("web")} http://orders.mesh/hello`;
      expect(machine.must(call)).toBe("hello\n200");
      expect(machine.must(`setpriv --reuid=65534 --clear-groups ${call}`)).toContain(
        "no unit that is attached",
      );
      expect(machine.must(`${curl} http://orders.mesh/hello`)).toContain(
        "several services run on this machine",
      );
      const file = "/var/lib/heddle/machine.yaml";
      machine.must(`sed -i '1s/^{/{"caller": "web",/' ${file}`);
      expect(machine.must(`systemctl reload heddle-proxy && head -1 ${file}`)).toContain("caller");
      const named = `setpriv --reuid=65534 --clear-groups ${curl} http://orders.mesh/hello`;
      return waitFor("who is nobody calls as web", () =>
        machine.run(named).out === "hello\n200" ? true : null,
      );
    },
    testMs,
  );

  test(
    "reach an opaque service by its address, and a unit that may not is cut",
    async () => {
      const tcp = `printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' | timeout 5 python3 -c 'import socket,sys; s=socket.create_connection((sys.argv[1],5432)); s.sendall(sys.stdin.buffer.read()); s.shutdown(1)
while b:=s.recv(9999): sys.stdout.buffer.write(b)' ${address("db")}`;
      write("/root/tcp", tcp);
      write("/root/call", "sh /root/tcp > /srv/$1.said 2>&1; exit 0\n");
      await waitFor("web reaches db", () => (/hello$/.test(told("web").trim()) ? true : null));
      expect(told("mail")).toContain("ConnectionResetError");
      write("/root/call", callScript);
    },
    testMs,
  );

  test(
    "of a template are instances of one service: each is probed, registered and left out by itself",
    async () => {
      for (const at of [1, 2])
        machine.must(
          `systemctl start shop@${at} && heddle attach shop@${at}.service --port 809${at} --health /hello`,
        );
      const shown = (at: number): string =>
        new RegExp(`shop\\.default +vm-1 +(.*?) +809${at} +shop@${at}\\.service`).exec(
          machine.run("heddle status").out,
        )?.[1] ?? "";
      await waitFor("both are ready", () => (shown(1) === "ready" && shown(2) === "ready" ? true : null));
      machine.must("systemctl stop shop@1");
      await waitFor("one is left out", () => (shown(1).startsWith("not ready") ? true : null));
      expect(shown(2)).toBe("ready");
      machine.must("systemctl start shop@1");
      await waitFor("it is back", () => (shown(1) === "ready" ? true : null));
    },
    testMs,
  );
});
