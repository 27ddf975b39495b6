/**
 * Three bare machines with systemd, one binary, and what the README says: services of the machine that talk over mTLS, come back after
 * reboots without a control plane, are killed when they hang, and leave nothing behind.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpus, loadavg } from "node:os";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;
/** From the copy of the binary to the first request: what people are promised. */
const firstRequestMs = 60_000;

const mesh = `
{kind: Service, name: orders, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Access, name: orders, service: orders, allow: [{from: web, methods: [GET, DELETE]}]}
`;
const nightShift = `import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({ api: 1, name: "night-shift", version: "1.0.0", options: v.object({}), onError: "closed",
  onRequest(request) { return request.method === "DELETE" ? respond(403, "night") : next(); } });
`;
const appUnit = (port: number): string => `[Service]
ExecStart=python3 -m http.server ${port} --bind 127.0.0.1 --directory /srv
[Install]
WantedBy=multi-user.target
`;

describe.skipIf(why !== null)(`three machines${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines;
  let [first, orders, web]: Machine[] = [];
  let before = "";
  let copiedMs = 0;

  beforeAll(async () => {
    machines = await Machines.start(["vm-1", "vm-2", "vm-3"]);
    [first, orders, web] = ["vm-1", "vm-2", "vm-3"].map((name) => machines.get(name));
    writeFileSync(`${on(orders).root}/srv/hello`, "hello from orders\n");
    runApp(on(orders), "orders", 8080);
    runApp(on(web), "web", 8081);
    copiedMs = performance.now();
    for (const machine of [first, orders, web]) {
      copyFileSync(binaryPath, `${on(machine).root}/root/heddle`);
      chmodSync(`${on(machine).root}/root/heddle`, 0o755);
    }
    before = traces(on(orders));
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  const on = (machine: Machine | undefined): Machine => {
    if (machine === undefined) throw new Error("The machines did not start");
    return machine;
  };
  const call = (path = "/hello", more = "") =>
    on(web).run(`curl -sS -m 5 -w '%{http_code}' ${more} http://127.0.0.1:9001${path}`).out;
  const untilAnswered = (sentence: string) =>
    waitFor(sentence, () => (call() === "hello from orders\n200" ? true : null), { everyMs: 100 });
  const shown = (machine: Machine | undefined, unit: string, property: string): string =>
    on(machine).must(`systemctl show --value --property=${property} ${unit}`).trim();

  test(
    "a plan names every file and command, and does nothing",
    () => {
      const plan = on(first).must("./heddle init --plan");
      for (const part of [
        "copy this program to /usr/local/bin/heddle",
        "write /etc/systemd/system/heddle-proxy.service\n    # Written by heddle",
        "run systemctl enable heddle-registry.service heddle-controller.service heddle-proxy.service",
      ])
        expect(plan).toContain(part);
      expect(on(orders).must("./heddle join 10.83.7.1:7443 --plan")).toContain("heddle-proxy.service");
      expect(traces(on(orders))).toBe(before);
      expect(on(first).run("ls /usr/local/bin/heddle /var/lib/heddle").code).not.toBe(0);
    },
    testMs,
  );

  test(
    "one command on each, and a request goes over the mesh within a minute of the copy",
    async () => {
      on(first).must("./heddle init --trust-domain corp.example --address 10.83.7.1");
      for (const mode of ["registry", "controller", "proxy"])
        expect(shown(first, `heddle-${mode}`, "StatusText")).toMatch(/^serving /);
      on(orders).must(`${joinLine("orders")} --service orders --port 8080`);
      on(web).must(`${joinLine("web")} --service web --port 8081 --upstream orders=9001`);
      writeFileSync(`${on(first).root}/root/mesh.yaml`, mesh);
      on(first).must("heddle apply -f mesh.yaml");
      await untilAnswered("web reaches orders");
      // Beside others who want the processors, the time tells of them.
      if ((loadavg()[0] ?? 0) < cpus().length)
        expect(performance.now() - copiedMs).toBeLessThan(firstRequestMs);
      expect(on(web).must("ps -o user= -C heddle").trim()).toBe("heddle");
      expect(on(orders).must("curl -sS http://127.0.0.1:9464/metrics")).toMatch(
        /heddle_requests_total\{[^}]*"web\.default"/,
      );
      expect(on(web).run("heddle check").out).not.toContain("✗");
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

  test(
    "a command that is repeated changes nothing, and starts nothing again",
    () => {
      const pids = (): string[] => [
        shown(first, "heddle-controller", "MainPID"),
        shown(first, "heddle-proxy", "MainPID"),
        shown(orders, "heddle-proxy", "MainPID"),
      ];
      const running = pids();
      expect(on(first).must("heddle init --trust-domain corp.example && echo done")).toBe("done\n");
      on(orders).must("heddle join 10.83.7.1:7443");
      expect(pids()).toEqual(running);
      const other = on(first).run("heddle init --trust-domain other.example");
      expect([other.code, other.err]).toEqual([
        2,
        expect.stringContaining("Cannot initialize with --trust-domain"),
      ]);
      expect(pids()).toEqual(running);
    },
    testMs,
  );

  test(
    "a policy runs in its sealed process below the unit, too",
    async () => {
      on(first).must("mkdir -p docs/policies");
      const use = "policies: [{use: night-shift, with: {}}]";
      writeFileSync(`${on(first).root}/root/docs/mesh.yaml`, mesh.replace("http}", `http, ${use}}`));
      writeFileSync(`${on(first).root}/root/docs/policies/night_shift.ts`, nightShift);
      on(first).must("heddle apply -f docs");
      const refused = () => (call("/hello", "-X DELETE").endsWith("403") ? true : null);
      await waitFor("the policy refuses", refused, { everyMs: 100, limitMs: 20_000 });
      await untilAnswered("the policy lets the others through");
      expect(on(web).must("systemd-cgls --no-pager /heddle.slice")).toContain("policy-host");
      expect(on(web).must("curl -sS http://127.0.0.1:9464/config")).toContain('"running":true,"sealed":true');
      const refusals = "journalctl --no-pager -o json _SYSTEMD_UNIT=heddle-proxy.service HEDDLE_FLAGS=PD";
      expect(on(web).must(refusals)).toContain('"HEDDLE_STATUS":"403"');
      expect(on(first).must("journalctl -u heddle-controller --no-pager")).not.toContain("not sealed");
      expect(on(web).run("heddle check").out).not.toContain("✗");
    },
    testMs,
  );

  test(
    "a proxy that hangs is killed, and its service is back",
    async () => {
      const pid = Number(shown(orders, "heddle-proxy", "MainPID"));
      expect(pid).toBeGreaterThan(1);
      on(orders).must(`kill -STOP ${pid}`);
      const restarted = () => (shown(orders, "heddle-proxy", "NRestarts") === "1" ? true : null);
      await waitFor("the watchdog has acted", restarted, { everyMs: 250 });
      expect(on(orders).must("journalctl -u heddle-proxy --no-pager")).toContain("Watchdog timeout");
      await untilAnswered("web reaches orders again");
      expect(shown(orders, "heddle-proxy", "MainPID")).not.toBe(String(pid));
    },
    testMs,
  );

  test(
    "a machine that boots while the control plane is off serves again",
    async () => {
      await on(first).stop();
      await on(orders).reboot();
      expect(shown(orders, "heddle-proxy", "ActiveState")).toBe("active");
      await untilAnswered("web reaches orders");
      await on(web).reboot();
      await untilAnswered("web reaches orders after its own reboot");
      await on(first).start();
      await waitFor(
        "the controller knows all",
        () => (/vm-3 +connected/.test(on(first).run("heddle status").out) ? true : null),
        {
          everyMs: 250,
        },
      );
    },
    testMs,
  );

  test(
    "uninstall leaves the state for another time, and with --purge nothing",
    () => {
      on(orders).must("./heddle uninstall");
      expect(on(orders).must("stat -c '%U %a' /var/lib/heddle")).toBe("root 700\n");
      expect(on(orders).run("id heddle").code).not.toBe(0);
      on(orders).must("./heddle join 10.83.7.1:7443");
      expect(shown(orders, "heddle-proxy", "ActiveState")).toBe("active");
      on(orders).must("./heddle uninstall --purge");
      expect(traces(on(orders))).toBe(before);
      expect(on(orders).run("./heddle uninstall").err).toContain("heddle is not installed on this machine");
    },
    testMs,
  );
});

/** A service of the machine, as it was there before heddle. */
function runApp(machine: Machine, name: string, port: number): void {
  writeFileSync(`${machine.root}/etc/systemd/system/${name}.service`, appUnit(port));
  machine.must(`systemctl daemon-reload && systemctl enable --now ${name}.service`);
}

/** What the machine's lists and logs of themselves keep is left out. */
const unlike = [
  ...["/var/log", "/var/cache", "/var/lib/systemd", "/var/tmp", "/root/docs", "/root/mesh.yaml"],
  ...["passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock", "machine-id"].map((name) => `/etc/${name}`),
];

/** Every file with its owner and mode, what is in those of /etc, and every unit that the machine knows. */
function traces(machine: Machine): string {
  const pruned = unlike.map((path) => `-path ${path}`).join(" -o ");
  const find = `find /boot /etc /home /opt /root /srv /usr /var -xdev \\( ${pruned} \\) -prune -o`;
  return machine.must(
    [
      `${find} -printf '%p %y %m %U:%G %l\\n' | sort`,
      `${find} -path '/etc/*' -type f -print0 | sort -z | xargs -0 sha256sum`,
      "systemctl list-unit-files --no-legend --no-pager",
      "systemctl list-units --all --no-legend --no-pager 'heddle*'",
      "ls -d /run/heddle* 2>/dev/null || true",
    ].join("; "),
  );
}
