/**
 * Three bare machines with systemd and one binary; each runs an app that was there before. What the README says is typed: one command
 * joins a machine, one attaches its unit, and the app is called by name.
 */
import { cpus, loadavg } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;
/** From the copy of the binary to the first request: what people are promised. */
const firstRequestMs = 60_000;
const restarts = 20;

const mesh = `
{kind: Service, name: orders, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Access, name: orders, service: orders, allow: [{from: web, methods: [GET]}]}
`;
const appUnit = (port: number): string => `[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=python3 -m http.server ${port} --bind 127.0.0.1 --directory /srv
[Install]
WantedBy=multi-user.target
`;
const dropIn = "/etc/systemd/system/orders.service.d/50-heddle.conf";
const document = "/var/lib/heddle/machine.yaml";

describe.skipIf(why !== null)(`units of three machines${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines;
  let [first, orders, web]: Machine[] = [];
  let copiedMs = 0;

  beforeAll(async () => {
    machines = await Machines.start(["vm-1", "vm-2", "vm-3"]);
    [first, orders, web] = ["vm-1", "vm-2", "vm-3"].map((name) => machines.get(name));
    writeFileSync(`${on(orders).root}/srv/hello`, "hello from orders\n");
    runApp(on(orders), "orders", 8080);
    runApp(on(web), "web", 8081);
    runApp(on(first), "web", 8081);
    copiedMs = performance.now();
    for (const machine of [first, orders, web]) {
      copyFileSync(binaryPath, `${on(machine).root}/root/heddle`);
      chmodSync(`${on(machine).root}/root/heddle`, 0o755);
    }
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  const on = (machine: Machine | undefined): Machine => {
    if (machine === undefined) throw new Error("The machines did not start");
    return machine;
  };
  const call = (machine = web) =>
    on(machine).run("curl -sS -m 5 -w '%{http_code}' http://orders.mesh/hello").out;
  const untilAnswered = (sentence: string, machine = web) =>
    waitFor(sentence, () => (call(machine) === "hello from orders\n200" ? true : null), { everyMs: 100 });
  const shown = (machine: Machine | undefined, unit: string, property: string): string =>
    on(machine).must(`systemctl show --value --property=${property} ${unit}`).trim();

  test(
    "one command joins each, one attaches its unit, and a request by name goes over the mesh within a minute of the copy",
    async () => {
      writeFileSync(`${on(first).root}/root/mesh.yaml`, mesh);
      on(first).must("./heddle init --trust-domain corp.example --address 10.83.7.1");
      on(first).must("heddle apply -f mesh.yaml");
      on(first).must("heddle attach web --port 8081");
      on(orders).must(joinLine("orders"));
      on(web).must(joinLine("web"));
      const said = on(orders).run("heddle attach orders.service --port 8080");
      expect([said.code, said.err]).toEqual([
        0,
        expect.stringContaining("orders.service is orders.default at port 8080"),
      ]);
      expect(said.err).not.toContain("node allow");
      on(web).must("heddle attach web.service");
      for (const machine of [web, first]) hostsOf(on(machine));
      await untilAnswered("web of vm-3 reaches orders");
      const tookMs = performance.now() - copiedMs;
      console.log(
        `first request by name ${Math.round(tookMs / 1000)} s after the copy, load ${loadavg()[0]?.toFixed(1)}`,
      );
      // Beside others who want the processors, the time tells of them.
      if ((loadavg()[0] ?? 0) < cpus().length) expect(tookMs).toBeLessThan(firstRequestMs);
      await untilAnswered("web of vm-1 reaches orders", first);
      expect(on(web).must("curl -sS http://127.0.0.1:9464/metrics")).toMatch(
        /heddle_requests_total\{[^}]*"orders\.default"/,
      );
    },
    testMs,
  );

  /** As `heddle token create` prints it, from the copy of the binary. */
  function joinLine(service: string): string {
    const said = on(first).must(`heddle token create --service ${service}`);
    const line = /heddle join \S+ hd1\.\S+/.exec(said)?.[0];
    if (line === undefined) throw new Error(`No join line: ${said}`);
    return `./${line}`;
  }

  /** The resolver of these guests asks nobody: the address that heddle's DNS tells stands in a file. */
  function hostsOf(machine: Machine): void {
    const page = machine.must("curl -sS http://127.0.0.1:9464/config");
    const line = /"orders\.default[^"]*?(127(?:\.\d+){3})/.exec(page)?.[1];
    if (line === undefined)
      throw new Error(`No virtual address of orders: ${/"names":.{300}/.exec(page)?.[0]}`);
    machine.must(`echo ${line} orders.mesh >> /etc/hosts`);
  }

  test(
    "the drop-in orders and wishes, and binds nothing",
    () => {
      const text = on(orders).must(`cat ${dropIn}`);
      expect(text.split("\n").slice(1)).toEqual([
        "[Unit]",
        "Wants=heddle-proxy.service",
        "After=heddle-proxy.service",
        "",
      ]);
      expect(shown(orders, "orders", "DropInPaths")).toBe(dropIn);
      for (const bound of ["Requires", "BindsTo", "PartOf"])
        expect(shown(orders, "orders", bound)).not.toContain("heddle");
    },
    testMs,
  );

  test(
    "check says that it is well, and what is not",
    () => {
      const checked = (): string => on(orders).run("heddle check").out;
      expect(checked()).toMatch(/✓ HED0015 +orders\.service/);
      const other = "/run/systemd/system/orders.service.d";
      on(orders).must(`mkdir -p ${other}`);
      writeInside(orders, `${other}/70-bound.conf`, "[Unit]\nBindsTo=heddle-proxy.service\n");
      on(orders).must("systemctl daemon-reload");
      expect(checked()).toContain("BindsTo= binds it to heddle-proxy.service");
      on(orders).must(`rm -r ${other} && systemctl daemon-reload && touch -d '+1 min' ${dropIn}`);
      expect(checked()).toContain("systemctl daemon-reload");
      on(orders).must("systemctl daemon-reload");
      expect(checked()).toMatch(/✓ HED0015/);
    },
    testMs,
  );

  test(
    "attached again, nothing is changed, and nothing is started again; a plan does nothing",
    () => {
      const before = [shown(orders, "heddle-proxy", "MainPID"), on(orders).must(`cat ${document}`)];
      on(orders).must("heddle attach orders.service --port 8080");
      const plan = on(orders).must(
        "heddle attach orders@2.service --port 8082 --plan || true; heddle detach orders --plan",
      );
      expect(plan).toContain(`remove ${dropIn}`);
      expect([shown(orders, "heddle-proxy", "MainPID"), on(orders).must(`cat ${document}`)]).toEqual(before);
    },
    testMs,
  );

  test(
    "what listens is shown with the line that attaches it",
    () => {
      on(orders).must("systemd-run --unit=other python3 -m http.server 9999 --bind 127.0.0.1");
      const shownLine = (): true | null =>
        /other\.service +127\.0\.0\.1:9999 +heddle attach other\.service --port 9999/.test(
          on(orders).must("heddle attach"),
        )
          ? true
          : null;
      return waitFor("it listens", shownLine, { everyMs: 200 });
    },
    testMs,
  );

  test(
    "socket-activated units and those with a network of their own are refused by name, with the cure",
    () => {
      const { root } = on(orders);
      const folder = `${root}/etc/systemd/system`;
      writeFileSync(`${folder}/sock.socket`, "[Socket]\nListenStream=127.0.0.1:8090\n");
      writeFileSync(`${folder}/sock.service`, "[Service]\nExecStart=sleep infinity\n");
      writeFileSync(`${folder}/apart.service`, "[Service]\nPrivateNetwork=yes\nExecStart=sleep infinity\n");
      on(orders).must("systemctl daemon-reload && systemctl start sock.socket");
      const refused = (unit: string): string => on(orders).run(`heddle attach ${unit} --port 8090`).err;
      expect(refused("sock.service")).toContain("sock.socket opens its port");
      expect(refused("sock.service")).toContain("systemctl disable --now sock.socket");
      expect(refused("apart.service")).toContain("PrivateNetwork=");
      expect(refused("nothing.service")).toContain("there is no such unit");
      on(orders).must("systemctl stop sock.socket");
    },
    testMs,
  );

  test(
    "a unit that stops takes nothing new at once, also while its app still answers, and is back when it starts",
    async () => {
      const slowStop = "[Service]\nExecStop=sleep 6\n";
      on(orders).must("mkdir -p /run/systemd/system/orders.service.d");
      writeInside(orders, "/run/systemd/system/orders.service.d/60-slow.conf", slowStop);
      on(orders).must("systemctl daemon-reload && systemctl stop --no-block orders");
      const leaves = () =>
        /orders\.service is deactivating/.test(on(orders).must("curl -sS http://127.0.0.1:9464/config"))
          ? true
          : null;
      await waitFor("its stop is heard of", leaves, { everyMs: 50 });
      expect(on(orders).run("curl -sS -m 3 http://127.0.0.1:8080/hello").out).toBe("hello from orders\n");
      const refused = () => (/\n503$|^503$/.test(call()) ? true : null);
      await waitFor("nobody calls it any more", refused, { everyMs: 100 });
      const stopped = () => (shown(orders, "orders", "ActiveState") === "inactive" ? true : null);
      await waitFor("it has stopped", stopped, { everyMs: 200 });
      on(orders).must(
        "rm -r /run/systemd/system/orders.service.d && systemctl daemon-reload && systemctl start orders",
      );
      await untilAnswered("it is back");
    },
    testMs,
  );

  test(
    "an app that is restarted together with the proxy calls others to its end",
    async () => {
      const late = "curl -sS -m 5 http://orders.mesh/hello -o /srv/late";
      on(web).must("mkdir -p /run/systemd/system/web.service.d");
      writeInside(
        web,
        "/run/systemd/system/web.service.d/60-late.conf",
        `[Service]\nExecStop=sh -c "sleep 3; ${late}"\n`,
      );
      on(web).must("systemctl daemon-reload && systemctl restart heddle-proxy web");
      expect(on(web).must("cat /srv/late")).toBe("hello from orders\n");
      on(web).must("rm -r /run/systemd/system/web.service.d /srv/late && systemctl daemon-reload");
      await untilAnswered("web reaches orders after it");
    },
    testMs,
  );

  test(
    `a unit that is started again ${restarts} times is called again each time`,
    async () => {
      for (let at = 0; at < restarts; at++) {
        on(orders).must("systemctl restart orders");
        await untilAnswered(`web reaches orders after restart ${at + 1}`);
      }
    },
    testMs,
  );

  test(
    "a machine that boots while the control plane is off serves again",
    async () => {
      await on(first).stop();
      await on(orders).reboot();
      expect(shown(orders, "orders", "ActiveState")).toBe("active");
      await untilAnswered("web reaches orders");
      await on(web).reboot();
      await untilAnswered("web reaches orders after its own reboot");
      await on(first).start();
    },
    testMs,
  );

  test(
    "detached, the unit runs on and its file tree is as it was",
    () => {
      const pid = shown(orders, "orders", "MainPID");
      on(orders).must("heddle detach orders.service");
      expect(shown(orders, "orders", "MainPID")).toBe(pid);
      expect(shown(orders, "orders", "DropInPaths")).toBe("");
      expect(on(orders).run(`ls ${dropIn.replace(/\/[^/]*$/, "")}`).code).not.toBe(0);
      expect(on(orders).must(`cat ${document}`)).not.toContain("orders.service");
      expect(on(orders).run("heddle detach orders.service").err).toContain("it is not attached");
      on(web).must("heddle uninstall");
      expect(on(web).run("ls -d /etc/systemd/system/web.service.d").code).not.toBe(0);
      expect(shown(web, "web", "ActiveState")).toBe("active");
    },
    testMs,
  );
});

/** A service of the machine, as it was there before heddle. */
function runApp(machine: Machine, name: string, port: number): void {
  writeFileSync(`${machine.root}/etc/systemd/system/${name}.service`, appUnit(port));
  machine.must(`systemctl daemon-reload && systemctl enable --now ${name}.service`);
}

function writeInside(machine: Machine | undefined, path: string, text: string): void {
  machine?.must(`printf %s '${text}' > ${path}`);
}
