/**
 * Names of the mesh on a machine with systemd-resolved and nginx: programs find services as they find everything else, resolved and proxy
 * may start again, and nginx has port 80 whenever it wants it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;

const mesh = `
{kind: Service, name: web, port: 8081, protocol: http}
---
{kind: Service, name: orders, port: 80, protocol: http}
---
{kind: Service, name: db, port: 5432, protocol: tcp}
`;
const document = `kind: Machine
caller: web
services:
  - {service: web, port: 9081}
  - {service: orders, port: 9080}
  - {service: db, port: 9082}
`;
const appUnit = (port: number): string =>
  `[Service]\nExecStart=python3 -m http.server ${port} --bind 127.0.0.1 --directory /srv\n`;
const tcpClient = `import socket, sys
s = socket.create_connection(("db.mesh", 5432), 5)
s.sendall(b"GET /hello HTTP/1.0\\r\\n\\r\\n")
s.shutdown(1)
while b := s.recv(9999): sys.stdout.buffer.write(b)
`;

describe.skipIf(why !== null)(`names of the mesh${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines;
  let machine: Machine;
  let before = "";

  beforeAll(async () => {
    machines = await Machines.start(["vm-1"]);
    machine = machines.get("vm-1");
    copyFileSync(binaryPath, `${machine.root}/root/heddle`);
    chmodSync(`${machine.root}/root/heddle`, 0o755);
    write("/root/mesh.yaml", mesh);
    write("/root/machine.yaml", document);
    write("/root/tcp.py", tcpClient);
    write("/srv/hello", "hello\n");
    for (const [name, port] of [
      ["web", 9081],
      ["orders", 9080],
      ["db", 9082],
    ] as const) {
      write(`/etc/systemd/system/${name}.service`, appUnit(port));
      machine.must(`systemctl daemon-reload && systemctl start ${name}`);
    }
    before = resolverState();
    machine.must("./heddle init --trust-domain corp.example --address 10.83.7.1 --machine machine.yaml");
    machine.must("heddle apply -f mesh.yaml");
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  const write = (path: string, text: string): void => writeFileSync(`${machine.root}${path}`, text);
  const curl = (): string => machine.run("curl -sS -m 5 http://orders.mesh/hello 2>&1").out;
  const untilAnswered = (sentence: string) =>
    waitFor(sentence, () => (curl() === "hello\n" ? true : null), { everyMs: 100 });
  /** What a look-up goes by. */
  const resolverState = (): string =>
    machine.must(
      "cat /etc/hosts /etc/nsswitch.conf; readlink /etc/resolv.conf; ls -R /etc/systemd; resolvectl dns; resolvectl domain",
    );
  const addressOf = (name: string): string =>
    machine.run(`getent ahostsv4 ${name}.mesh`).out.split(" ")[0] ?? "";

  test(
    "are found by curl and by any TCP client, as the machine's resolver finds everything else",
    async () => {
      await untilAnswered("orders is found and answers");
      await waitFor("db answers", () => (/hello\n$/.test(machine.run("python3 tcp.py").out) ? true : null));
      expect(addressOf("orders")).toMatch(/^127\.100\./);
      expect(machine.run("resolvectl query nothing.mesh").err).toContain("not found");
      expect(machine.must("heddle check")).toContain("systemd-resolved asks for mesh here");
    },
    testMs,
  );

  test(
    "are found again when resolved starts again, and when the proxy does",
    async () => {
      machine.must("systemctl restart systemd-resolved");
      await untilAnswered("orders is found after resolved started again");
      machine.must("systemctl restart heddle-proxy");
      await untilAnswered("orders is found after the proxy started again");
    },
    testMs,
  );

  test(
    "are found again when the proxy stands still, without a look-up that hangs: its watchdog ends it within seconds",
    async () => {
      const starts = (): string => machine.must("systemctl show --value -p NRestarts heddle-proxy").trim();
      const before = starts();
      machine.must("kill -STOP $(systemctl show --value -p MainPID heddle-proxy)");
      // Whatever it says, it ends: somebody is told, or the proxy that follows answers.
      expect(machine.run("getent ahostsv4 db.mesh").code).not.toBeNull();
      await untilAnswered("orders is found after the proxy stood still");
      expect(starts()).toBe(String(Number(before) + 1));
      expect(machine.must("journalctl -u heddle-proxy --no-pager -o cat")).toContain("Watchdog timeout");
    },
    2 * testMs,
  );

  test(
    "give way to nginx, which is enabled and started while heddle has the port, and has it at once",
    async () => {
      await untilAnswered("orders has its address");
      expect(machine.must("ss -Hltn 'sport = :80'")).toContain("127.100.");
      machine.must("systemctl enable --now nginx");
      expect(machine.must("curl -sS -o /dev/null -w '%{http_code}' http://10.83.7.1/")).toBe("200");
      await waitFor("orders has no address", () => (addressOf("orders") === "" ? true : null));
      // Until nginx is seen to have it, it is only the one that it wants.
      const named =
        /HED0014[^\n]*orders\.default[^\n]*port 80 is held on all addresses by nginx[^\n]*\n[^\n]*Let it bind 127\.0\.0\.1/;
      await waitFor("its holder is named with the cure", () =>
        named.test(machine.run("heddle check").out) ? true : null,
      );
      expect(machine.run("python3 tcp.py").out).toContain("hello");
    },
    testMs,
  );

  test(
    "leave the port to nginx where that was first, and have it beside it once nginx binds one address",
    async () => {
      machine.must("systemctl restart heddle-proxy");
      expect(machine.must("curl -sS -o /dev/null -w '%{http_code}' http://10.83.7.1/")).toBe("200");
      await waitFor("its holder is named", () =>
        /by nginx/.test(machine.run("heddle check").out) ? true : null,
      );
      const site = "/etc/nginx/sites-enabled/default";
      machine.must(
        `sed -i -E 's/listen 80 default/listen 10.83.7.1:80 default/; /listen \\[::\\]/d' ${site}`,
      );
      machine.must("systemctl restart nginx");
      await untilAnswered("orders is found beside nginx");
      expect(machine.must("curl -sS -o /dev/null -w '%{http_code}' http://10.83.7.1/")).toBe("200");
    },
    testMs,
  );

  test(
    "leave no trace when heddle is uninstalled",
    () => {
      machine.must("systemctl disable --now nginx && heddle uninstall --purge");
      expect(resolverState()).toBe(before);
    },
    testMs,
  );

  test(
    "are in /etc/hosts where no resolver can be told of them, follow the mesh there, and leave no trace",
    async () => {
      machine.must(
        "systemctl disable --now systemd-resolved; rm /etc/resolv.conf; echo nameserver 192.0.2.1 > /etc/resolv.conf; echo 127.0.0.1 localhost > /etc/hosts",
      );
      const hosts = machine.must("cat /etc/hosts; stat -c '%a %U' /etc/hosts");
      machine.must(
        "/root/heddle init --trust-domain corp.example --address 10.83.7.1 --machine machine.yaml",
      );
      machine.must("heddle apply -f mesh.yaml");
      await untilAnswered("orders is found and answers");
      expect(machine.must("heddle check")).toContain("/etc/hosts has the names");
      expect(machine.must("systemd-analyze security --no-pager heddle-hosts.service")).toMatch(
        /level.*: [01]\./,
      );
      machine.must("heddle delete service db");
      await waitFor("db has no name", () => (addressOf("db") === "" ? true : null), { everyMs: 100 });
      expect(addressOf("orders")).toMatch(/^127\.100\./);
      machine.must("heddle uninstall --purge");
      expect(machine.must("cat /etc/hosts; stat -c '%a %U' /etc/hosts")).toBe(hosts);
      expect(machine.run("systemctl list-unit-files 'heddle*' --no-legend").out).toBe("");
    },
    testMs,
  );
});
