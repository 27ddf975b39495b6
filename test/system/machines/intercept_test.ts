/**
 * Traffic of a unit goes into the mesh without its doing, and no operator is ever locked out: an SSH login stays open, and a new one can be
 * made, through everything that happens to the rules. Machines with the real systemd, the real nftables and the real sshd.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import type { InForce } from "../../../src/app/interception.ts";
import type { Standing } from "../../../src/intercept/standing.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;
const restarts = 100;
const [first, second] = ["10.83.7.1", "10.83.7.2"];
const [first6, second6] = ["fd00:83:7::1", "fd00:83:7::2"];
/** Of the second machine, too; nobody logs in from there, whose address would be left alone. */
const elsewhere = "10.83.7.12";

const mesh = `
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: orders, port: 80, protocol: http}
`;
/** Says a word for ever at /slow, and hello elsewhere. */
const app = `
import http.server, socket, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"hello\\n")
            self.wfile.flush()
            if self.path != "/slow": return
            time.sleep(0.05)
    def log_message(self, *words): pass
class Server6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()
port = int(sys.argv[1])
threading.Thread(target=Server6(("::", port), Handler).serve_forever).start()
http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()
`;
/** What it is told to do by \`systemctl reload\` it does inside of its own cgroup. */
const appUnit = (port: number): string => `[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=python3 /root/app.py ${port}
ExecReload=sh /root/call
[Install]
WantedBy=multi-user.target
`;
const callOnce = 'curl -sS -m 5 -w "%{http_code}" "$(cat /root/url)" > /srv/said 2>&1; exit 0\n';
const callForEver = 'curl -sSN "$(cat /root/url)" > /srv/stream 2>&1 & exit 0\n';
const sshTo = (host: string): string =>
  `ssh -o StrictHostKeyChecking=no -o BatchMode=yes -o ConnectTimeout=5 root@${host}`;
const ssh = sshTo(first);

describe.skipIf(why !== null)(`interception${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines;
  let vm1: Machine;
  let vm2: Machine;

  beforeAll(async () => {
    machines = await Machines.start(["vm-1", "vm-2"]);
    [vm1, vm2] = [machines.get("vm-1"), machines.get("vm-2")];
    for (const [machine, name, port, address6] of [
      [vm1, "web", 8081, first6],
      [vm2, "orders", 8080, second6],
    ] as const) {
      machine.must(`ip -6 address add ${address6}/64 dev eth0 nodad`);
      copyFileSync(binaryPath, `${machine.root}/root/heddle`);
      chmodSync(`${machine.root}/root/heddle`, 0o755);
      write(machine, "/root/app.py", app);
      write(machine, "/root/call", callOnce);
      write(machine, `/etc/systemd/system/${name}.service`, appUnit(port));
      machine.must(`systemctl daemon-reload && systemctl start ${name}`);
    }
    write(vm1, "/root/mesh.yaml", mesh);
    vm1.must(`./heddle init --trust-domain corp.example --address ${first}`);
    vm1.must("heddle apply -f mesh.yaml && heddle attach web.service --port 8081");
    const token = /hd1\.\S+/.exec(vm1.must("heddle token create --service orders"))?.[0];
    vm2.must(`./heddle join ${first}:7443 ${token}`);
    vm2.must("heddle attach orders.service --port 8080");
    vm2.must(`ip address add ${elsewhere}/24 dev eth0`);
    // Who holds a login open from the other machine.
    vm2.must("mkdir -p -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519");
    mkdirSync(`${vm1.root}/root/.ssh`, { recursive: true, mode: 0o700 });
    copyFileSync(`${vm2.root}/root/.ssh/id_ed25519.pub`, `${vm1.root}/root/.ssh/authorized_keys`);
    vm1.must("systemctl start ssh");
    vm1.must(
      "nft add table inet mine && nft add chain inet mine input '{ type filter hook input priority 0; }'",
    );
    logIn();
    await waitFor("web reaches orders", () => (told(address("orders")) === "hello\n200" ? true : null));
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  const write = (machine: Machine, path: string, text: string): void =>
    writeFileSync(`${machine.root}${path}`, text);
  function address(name: string): string {
    const page = vm1.run("curl -sS http://127.0.0.1:9464/config").out;
    return `http://${new RegExp(`"${name}\\.default[^"]*?(127(?:\\.\\d+){3})`).exec(page)?.[1] ?? "none"}/`;
  }
  /** What web was answered. */
  function told(url: string): string {
    write(vm1, "/root/url", url);
    vm1.must("systemctl reload web");
    return vm1.must("cat /srv/said");
  }
  /** A stream that web holds open; how much of it came. */
  function hold(url: string): () => number {
    write(vm1, "/root/url", url);
    write(vm1, "/root/call", callForEver);
    vm1.must("systemctl reload web");
    write(vm1, "/root/call", callOnce);
    return () => Number(vm1.must("stat -c %s /srv/stream").trim());
  }
  async function goesOn(what: string, bytes: () => number): Promise<void> {
    const before = bytes();
    await waitFor(`${what} goes on`, () => (bytes() > before ? true : null));
  }
  const status = (machine: Machine): InForce & { readonly standing: Standing | null } =>
    JSON.parse(machine.must("heddle intercept status --output json"));
  const matched = (machine: Machine, what: string): number =>
    status(machine).standing?.rules.find((rule) => rule.what === what)?.packets ?? -1;
  const rules = (machine: Machine): string => machine.run("nft list table inet heddle").out;
  /** One that stays open. */
  function logIn(): void {
    vm2.run("systemctl stop login");
    vm2.must(`systemd-run --quiet --collect --unit=login ${ssh} 'while sleep 0.1; do date +%s%N; done'`);
  }
  async function expectNoLockOut(after: string): Promise<void> {
    const lines = (): number => Number(vm2.must("journalctl -u login -o cat --no-pager | wc -l"));
    const before = lines();
    await waitFor(`the login goes on after ${after}`, () => (lines() > before ? true : null));
    expect(vm2.run(`${ssh} echo in`).out).toBe("in\n");
    expect(vm1.run("nft list table inet mine").code).toBe(0);
  }
  const untilRules = (machine: Machine, pattern: RegExp, what: string): Promise<true> =>
    waitFor(what, () => (pattern.test(rules(machine)) ? true : null));

  test(
    "takes connections of the unit through the proxy once it runs in its slice, and says what is left to do",
    async () => {
      const { err } = vm1.run(
        "heddle attach web.service --port 8081 --intercept --outbound all --inbound enforce",
      );
      expect(err).toContain("systemctl restart web.service");
      expect(err).toContain("heddle intercept confirm");
      await expectNoLockOut("the rules were loaded");
      vm1.must("systemctl restart web");
      expect(told(address("orders"))).toBe("hello\n200");
      expect(matched(vm1, "mesh")).toBe(1);
      // What is not in the mesh goes on as it is; what is at no address of it leads nowhere.
      expect(told(`http://${elsewhere}:8080/`)).toBe("hello\n200");
      expect(matched(vm1, "all")).toBe(1);
      expect(told(`http://${second}:8080/`)).toBe("hello\n200");
      expect(matched(vm1, "all")).toBe(1);
      expect(told(`http://[${second6}]:8080/`)).toBe("hello\n200");
      expect(matched(vm1, "all6")).toBe(1);
      expect(told(address("orders").replace(/\/$/, ":81/"))).toMatch(/000$/);
      for (const host of [elsewhere, `[${second6}]`])
        expect(vm1.must("curl -sS http://127.0.0.1:9464/metrics")).toContain(
          `address="${host}:8080",verdict="passed"} 1`,
        );
      expect(vm1.must("heddle intercept confirm")).toContain("web.service");
      await expectNoLockOut("they were confirmed");
    },
    testMs,
  );

  test(
    "refuses callers in clear text from other machines, and names them; those of the mesh come in",
    async () => {
      expect(vm2.run(`curl -sS -m 5 http://${first}:8081/`).err).toContain("Couldn't connect");
      expect(status(vm1).standing?.clear).toEqual([{ address: second, port: 8081, packets: 1 }]);
      expect(vm1.must("heddle intercept status")).toMatch(new RegExp(`${second}\\s+8081\\s+1`));
      expect(vm2.run(`curl -sS -m 5 http://[${first6}]:8081/`).err).toContain("Couldn't connect");
      expect(status(vm1).standing?.clear).toContainEqual({ address: second6, port: 8081, packets: 1 });
      const web = address("web");
      await waitFor("orders reaches web", () =>
        vm2.run(`curl -sS -m 5 ${web}`).out === "hello\n" ? true : null,
      );
    },
    testMs,
  );

  test(
    "only counts them where it is told to audit",
    async () => {
      vm2.must("heddle attach orders.service --port 8080 --intercept && heddle intercept confirm");
      expect(vm1.must(`curl -sS -m 5 http://${second}:8080/`)).toBe("hello\n");
      expect(status(vm2).standing?.clear).toEqual([{ address: first, port: 8080, packets: 1 }]);
      vm2.must(
        "heddle attach orders.service --port 8080 --intercept --inbound enforce && heddle intercept confirm",
      );
      expect(vm1.run(`curl -sS -m 5 http://${second}:8080/`).code).toBe(7);
    },
    testMs,
  );

  test(
    `holds through ${restarts} restarts of the unit: each first call is the mesh's, as the other machine refuses all else`,
    () => {
      const before = matched(vm1, "mesh");
      write(vm1, "/root/url", address("orders"));
      const once = "systemctl restart web && systemctl reload web && grep -qx 200 /srv/said";
      const line = `for i in $(seq ${restarts}); do ${once} || { echo $i; cat /srv/said; exit 1; }; done`;
      expect(vm1.run(line, { limitMs: testMs })).toMatchObject({ code: 0, out: "" });
      expect(matched(vm1, "mesh")).toBe(before + restarts);
    },
    testMs,
  );

  test(
    "is gone while the proxy is dead, and back with it",
    async () => {
      vm1.must("kill -9 $(systemctl show --property=MainPID --value heddle-proxy)");
      await waitFor("the rules went", () => (rules(vm1).includes("cgroupv2") ? null : true), { everyMs: 20 });
      await expectNoLockOut("a crash");
      await untilRules(vm1, /cgroupv2/, "the rules are back");
      expect(told(address("orders"))).toBe("hello\n200");
      await expectNoLockOut("the next start");
    },
    testMs,
  );

  test(
    "is loaded again when somebody flushed the firewall, and leaves what others have there alone",
    async () => {
      vm1.must("nft flush ruleset && nft add table inet mine");
      await expectNoLockOut("a flush");
      await untilRules(vm1, /cgroupv2/, "the rules are back");
      vm1.must("systemctl stop mesh-web.slice && systemctl start web");
      await waitFor("they name the new slice", () =>
        status(vm1).standing?.rules.some(({ stale }) => stale) === false &&
        told(address("orders")) === "hello\n200"
          ? true
          : null,
      );
      await expectNoLockOut("a new slice");
    },
    testMs,
  );

  /**
   * What was done to another firewall, which may have flushed all rules. Then everything is as it was: logins of both families, the mesh,
   * and what is not in it.
   */
  async function expectAllWell(beside: string, command: string): Promise<void> {
    vm1.must(`${command} && nft add table inet mine`);
    await expectNoLockOut(beside);
    await untilRules(vm1, /cgroupv2/, "the rules are there");
    expect(vm2.run(`${sshTo(first6)} echo in`).out).toBe("in\n");
    const before = matched(vm1, "mesh");
    expect(told(address("orders"))).toBe("hello\n200");
    expect(matched(vm1, "mesh")).toBe(before + 1);
    expect(told(`http://${elsewhere}:8090/`)).toBe("hello\n200");
    expect(vm2.run(`curl -sS -m 5 http://${first}:8081/`).code).toBe(7);
  }

  test(
    "leaves connections that stood before the rules alone, and those that it redirected when the rules go",
    async () => {
      const redirected = hold(`${address("orders")}slow`);
      await waitFor("it began", () => (redirected() > 0 ? true : null));
      vm1.must("heddle intercept undo");
      expect(rules(vm1)).not.toContain("cgroupv2");
      await goesOn("a stream that was redirected", redirected);
      await expectNoLockOut("undo");
      expect(rules(vm1)).toContain("chain output");
      vm1.must("systemctl restart web");
      await waitFor("the hook went after the last of them", () => (rules(vm1) === "" ? true : null));
      vm2.must("heddle intercept undo");
      const direct = hold(`http://${elsewhere}:8080/slow`);
      await waitFor("it began", () => (direct() > 0 ? true : null));
      vm1.must("heddle attach web.service --port 8081 --intercept --outbound all --inbound enforce");
      expect(rules(vm1)).toContain("cgroupv2");
      await goesOn("a stream that stood before", direct);
    },
    testMs,
  );

  test(
    "takes rules back that nobody confirmed, though heddle is dead, and what was confirmed before is back",
    async () => {
      vm1.must("heddle intercept confirm");
      const folder = "/run/systemd/system/heddle-intercept-undo.timer.d";
      mkdirSync(`${vm1.root}${folder}`, { recursive: true });
      vm1.must(
        `mkdir -p ${folder} && printf '[Timer]\\nOnActiveSec=\\nOnActiveSec=2s\\n' > ${folder}/fast.conf`,
      );
      vm1.must("systemctl daemon-reload");
      vm1.must("heddle attach web.service --port 8081 --intercept --inbound audit");
      expect(rules(vm1)).toContain("web.service audit");
      vm1.must("mv /usr/local/bin/heddle /usr/local/bin/gone");
      await untilRules(vm1, /web\.service enforce/, "what was confirmed is back");
      expect(rules(vm1)).not.toContain("web.service audit");
      await expectNoLockOut("the dead man's switch");
      vm1.must("mv /usr/local/bin/gone /usr/local/bin/heddle");
      expect(vm1.run("heddle intercept confirm").err).toContain("nothing waits");
    },
    testMs,
  );

  test(
    "is there after a reboot as it was confirmed",
    async () => {
      await vm1.reboot();
      vm1.must("systemctl start ssh web && nft add table inet mine");
      await untilRules(vm1, /cgroupv2/, "the rules are there");
      await waitFor("web reaches orders", () => (told(address("orders")) === "hello\n200" ? true : null));
      logIn();
      await expectNoLockOut("a reboot");
      expect(vm2.run(`curl -sS -m 5 http://${first}:8081/`).code).toBe(7);
    },
    testMs,
  );

  test(
    "that is strict cuts the unit off while the proxy does not run, and stands before it does",
    async () => {
      vm1.must("heddle attach web.service --port 8081 --intercept --outbound all --inbound enforce --strict");
      vm1.must("heddle intercept confirm && systemctl restart web");
      expect(told(`http://${elsewhere}:8080/`)).toBe("hello\n200");
      vm1.must("systemctl stop heddle-proxy");
      expect(rules(vm1)).toContain("cgroupv2");
      expect(told(`http://${elsewhere}:8080/`)).toMatch(/000$/);
      expect(vm2.run(`curl -sS -m 5 http://${first}:8081/`).code).toBe(7);
      await expectNoLockOut("the proxy was stopped");
      vm1.must("systemctl start heddle-proxy");
      await waitFor("web is back", () => (told(`http://${elsewhere}:8080/`) === "hello\n200" ? true : null));
      for (const property of ["After", "Requires"])
        expect(vm1.must(`systemctl show --property=${property} --value web`)).toContain(
          "heddle-intercept-early.service",
        );
    },
    testMs,
  );

  test(
    "is seen by operators: what left the mesh, and who called around it",
    async () => {
      const edges = (flag: string): string => vm1.must(`heddle edges ${flag} --window 1s`);
      expect(edges("--external")).toMatch(
        new RegExp(`web\\.default\\s+${elsewhere}:8080\\s+vm-1\\s+passed\\s+\\d+`),
      );
      await waitFor("the caller in clear is counted", () =>
        new RegExp(`${second}\\s+web\\.default\\s+vm-1\\s+\\d+`).test(edges("--clear")) ? true : null,
      );
    },
    testMs,
  );

  test(
    "stands beside firewalld, also when that loads its rules again, and says what firewalld refuses over IPv6",
    async () => {
      vm2.must("systemd-run --quiet --unit other python3 /root/app.py 8090");
      const interception = (): string => vm1.run("heddle check").out.match(/^. HED0022 .*/m)?.[0] ?? "none";
      vm1.must("firewall-offline-cmd --add-port=7443-7445/tcp");
      await expectAllWell("firewalld was started", "systemctl start firewalld");
      await expectAllWell("firewalld was reloaded", "firewall-cmd --reload");
      expect(interception()).toContain("over IPv6 is refused: a rule of the table inet firewalld");
      vm1.must("sed -i 's/^RFC3964_IPv4=.*/RFC3964_IPv4=no/' /etc/firewalld/firewalld.conf");
      await expectAllWell("firewalld was restarted", "systemctl restart firewalld");
      expect(told(`http://[${second6}]:8090/`)).toBe("hello\n200");
      expect(interception()).toContain("in force for web.service");
      await expectAllWell("firewalld was stopped", "systemctl stop firewalld");
    },
    testMs,
  );

  test(
    "stands beside ufw, also when that loads its rules again",
    async () => {
      vm1.must("ufw allow 22/tcp && ufw allow 7443:7445/tcp");
      await expectAllWell("ufw was enabled", "ufw --force enable");
      await expectAllWell("ufw was reloaded", "ufw reload");
      expect(told(`http://[${second6}]:8090/`)).toBe("hello\n200");
      await expectAllWell("ufw was disabled", "ufw disable");
      vm2.must("systemctl stop other");
    },
    testMs,
  );

  test(
    "is refused, by name and with what to do, where it cannot be",
    () => {
      const attach = (unit: string): string => vm1.run(`heddle attach ${unit} --intercept`).err;
      vm1.must("mkdir -p /etc/systemd/system");
      write(vm1, "/etc/systemd/system/own.service", "[Service]\nExecStart=sleep 9\nPrivateNetwork=yes\n");
      write(vm1, "/etc/systemd/system/tight.service", "[Service]\nExecStart=sleep 9\nSlice=tight.slice\n");
      write(vm1, "/etc/systemd/system/door.service", "[Service]\nExecStart=sleep 9\n");
      vm1.must("systemctl daemon-reload");
      expect(attach("own.service --port 81")).toContain("own.service: it has a network of its own");
      expect(attach("tight.service --port 81")).toContain("tight.service: it runs in tight.slice");
      expect(attach("door.service --port 22")).toContain("its port 22 is one of sshd");
    },
    testMs,
  );

  test(
    "leaves nothing when the unit is detached, nor when heddle is uninstalled",
    async () => {
      vm1.must("heddle detach web.service");
      expect(rules(vm1)).not.toContain("web.service");
      expect(vm1.must("cat /etc/systemd/system/web.service.d/* 2>/dev/null || true")).toBe("");
      expect(vm2.must(`curl -sS -m 5 http://${first}:8081/`)).toBe("hello\n");
      vm2.must("heddle attach orders.service --port 8080 --intercept");
      vm2.must("heddle uninstall");
      expect(rules(vm2)).toBe("");
      expect(vm2.must("ls /etc/systemd/system /run /var/lib")).not.toContain("heddle-intercept");
    },
    testMs,
  );
});
