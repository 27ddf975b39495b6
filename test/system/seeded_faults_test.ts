/**
 * Faults as operators meet them, put in on purpose: each is named, with its cure, by `heddle check`, by `heddle status` or by
 * the command itself. The table is at the end; what is above it sets the faults up.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, binaryPath, bun, root } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning, type CommandOptions, type Said } from "../support/command.ts";
import { hasProgram, plainEnvironment, startProgram, waitFor, type Program } from "../support/processes.ts";
import { silentPort } from "../support/silent_port.ts";
import { shiftedClock } from "../support/shifted_clock.ts";

const [one, two, three] = [addressOf(0), addressOf(1), addressOf(2)];
const controller = `${one}:${ports.controller}`;
const appPort = 8080;
const wallPort = 7_999;

/** Files of a state folder, as far as they are changed here. */
type Written = { readonly ports: { inbound: number }; readonly controllers: { host: string }[] };
type WrittenMachine = { readonly services: readonly [{ host: string; port: number }] };

describe.skipIf(binaryMissing)("a seeded fault", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-faults-`);
  const [first, second] = [`${folder}/first`, `${folder}/second`];
  // null without a C compiler: faults of the clock are skipped then. A full disk and one that is read-only can be made by root alone.
  const clockOff = shiftedClock(folder);
  const running = new Map<string, Program>();

  beforeAll(async () => {
    const places = ["--address", one, "--loopback", one, "--service", "web", "--port", String(appPort)];
    expect(heddle(["init", "--node", "vm-1", ...places, "--no-start"], { state: first }).code).toBe(0);
    for (const mode of ["registry", "controller", "proxy"]) await start(mode, [mode], first, /^\w+: /m);
    await app(one, "web");
    write(
      "mesh",
      "{kind: Service, name: web, port: 80, protocol: http}\n---\n{kind: Service, name: orders, port: 80, protocol: http}\n",
    );
    const applied = (): true | null => (operator("apply", "-f", `${folder}/mesh`).code === 0 ? true : null);
    await waitFor("documents are taken", applied, { everyMs: 50 });
    const orders = ["--service", "orders", "--port", String(appPort), "--health", "/missing"];
    const at = ["--node", "vm-2", "--address", two, "--loopback", two];
    const joining = ["join", controller, newToken(), ...at, ...orders];
    await app(two, "orders");
    await start("join", joining, second, /in the foreground/);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([...running.values()].map((each) => each.stop()));
    rmSync(folder, { recursive: true });
  });

  const operator = (...args: string[]): Said => heddle(args, { state: first });
  const check = (state: string, options: CommandOptions = {}): Said =>
    heddle(["check"], { state, ...options });
  const all = ({ out, err }: Said): string => out + err;

  async function start(name: string, args: readonly string[], state: string, stands: RegExp): Promise<void> {
    const program = heddleRunning(args, `${folder}/${name}.log`, { state });
    running.set(name, program);
    await waitFor(`${name} stands`, () => (stands.test(program.output()) ? true : null), { program });
  }

  async function app(host: string, service: string, port = appPort): Promise<void> {
    const args = ["http", host, String(port), service, "v1"];
    const command = [bun, `${root}/test/support/apps.ts`, ...args];
    running.set(`app ${host}:${port}`, startProgram({ name: service, command, log: `${folder}/apps.log` }));
    const answers = async (): Promise<true | null> =>
      (await fetch(`http://${host}:${port}/`).catch(() => null)) === null ? null : true;
    await waitFor(`${service} answers`, answers);
  }

  /** One folder with one file, and perhaps a policy. */
  function write(name: string, text: string, policy: string | null = null): string {
    mkdirSync(`${folder}/${name}/policies`, { recursive: true });
    writeFileSync(`${folder}/${name}/mesh.yaml`, text);
    if (policy !== null) writeFileSync(`${folder}/${name}/policies/thrower.ts`, policy);
    return `${folder}/${name}`;
  }

  function newToken(): string {
    const { out } = operator("token", "create", "--service", "orders", "--output", "json");
    return (JSON.parse(out) as { token: string }).token;
  }

  /** The second machine's state, changed. */
  function changed(name: string, change: (settings: Written, machine: WrittenMachine) => void): string {
    const state = `${folder}/${name}`;
    cpSync(second, state, { recursive: true });
    const [settings, machine] = ["heddle.json", "machine.yaml"].map((file) =>
      JSON.parse(readFileSync(`${state}/${file}`, "utf8")),
    );
    change(settings, machine);
    writeFileSync(`${state}/heddle.json`, JSON.stringify(settings));
    writeFileSync(`${state}/machine.yaml`, JSON.stringify(machine));
    return state;
  }

  /** In a mount namespace of its own, as root. */
  function mounted(mount: string, args: readonly string[]): Said {
    const script = `${mount} && exec "$0" "$@"`;
    const answer = spawnSync("unshare", ["-m", "sh", "-c", script, binaryPath, ...args], {
      encoding: "utf8",
      env: plainEnvironment(),
    });
    return { code: answer.status, out: answer.stdout, err: answer.stderr };
  }

  async function without<T>(name: string, work: () => T): Promise<T> {
    await running.get(name)?.stop();
    try {
      return work();
    } finally {
      await start(name, [name], first, /^\w+: /m);
      const ready = (): true | null => (operator("status").code === 0 ? true : null);
      await waitFor("the controller answers again", ready, { everyMs: 50 });
    }
  }

  const joinAs = (name: string, token: string, state = `${folder}/joins`): Said => {
    const places = ["--node", name, "--address", three, "--loopback", three];
    return heddle(
      ["join", controller, token, ...places, "--service", "orders", "--port", "9", "--no-start"],
      { state },
    );
  };

  const call = async (): Promise<string> => {
    const answer = await fetch(`http://${one}:${ports.outboundFirst}/`, { headers: { host: "web.mesh" } });
    return `${answer.status} ${await answer.text()}`;
  };

  /** Until the mesh says what is looked for: changes take a moment to arrive. */
  async function told(look: () => Promise<string> | string, texts: readonly RegExp[]): Promise<void> {
    let last = "";
    const all = async (): Promise<true | null> => {
      last = await look();
      return texts.every((text) => text.test(last)) ? true : null;
    };
    await waitFor(`it says ${texts.join(" and ")}`, all, { limitMs: 8_000, everyMs: 100 }).catch((error) => {
      throw new Error(`${(error as Error).message}; it said: ${last}`);
    });
  }

  const policy = `import { definePolicy } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({ api: 1, version: "1.0.0", name: "thrower", options: v.strictObject({}), onError: "open",
  onRequest() { throw new Error("boom"); } });
`;
  const service = (more: string): string => `{kind: Service, name: web, port: 80, protocol: http${more}}\n`;
  const isRoot = process.getuid?.() === 0 && hasProgram("unshare");

  interface Fault {
    readonly fault: string;
    /** Puts it in and looks. */
    readonly look: () => Promise<string> | string;
    /** What must be said: what is wrong, and what to do. */
    readonly says: readonly RegExp[];
    readonly skip?: boolean;
  }

  const table: readonly Fault[] = [
    {
      fault: "an app that is not ready, in check",
      look: () => all(check(second)),
      says: [/✗ HED0009 app of orders.default: is not ready: \/missing was answered 404\n +curl the app's/],
    },
    {
      fault: "an app that is not ready, in status",
      look: () => all(operator("status")),
      says: [/orders.default +vm-2 +not ready: \/missing was answered 404/],
    },
    {
      fault: "an app that is not ready, in the log of its proxy",
      look: () => running.get("join")?.output() ?? "",
      says: [/orders.default is not ready: \/missing was answered 404/],
    },
    {
      fault: "a wrong port",
      look: () => all(check(changed("port", (_, { services }) => void (services[0].port = 8_099)))),
      says: [/✗ HED0009 .*nothing listens on port 8099\n +Start the app, or mend its port/],
    },
    {
      fault: "a Machine document that was mended, and not read yet",
      look: () => all(check(changed("mended", (_, { services }) => void (services[0].port = 8_099)))),
      says: [
        /! HED0003 .*mended\/machine.yaml is another one than the proxy that runs has read\n.*systemctl reload heddle-proxy/,
      ],
    },
    {
      fault: "settings that were changed, and not read yet",
      look: () => all(check(changed("moved", (settings) => void (settings.ports.inbound = 7_555)))),
      says: [/! HED0001 .*moved\/heddle.json is another one than the proxy that runs has read/],
    },
    {
      fault: "a wrong bind",
      look: () => all(check(changed("bind", (_, { services }) => void (services[0].host = three)))),
      says: [
        new RegExp(
          `✗ HED0009 .*nothing listens on ${three}:8080, only on .*\n +Let the app listen on ${three}`,
        ),
      ],
    },
    ...[7_200, -7_200].map((seconds) => ({
      fault: `a clock that is two hours ${seconds > 0 ? "ahead" : "behind"}`,
      look: () => all(check(second, { env: clockOff?.(seconds) ?? {} })),
      says: [
        new RegExp(
          `✗ HED0006 clock: is 2 h 0 min ${seconds > 0 ? "ahead of" : "behind"} .*\n +Turn time synch`,
        ),
      ],
      skip: clockOff === null,
    })),
    {
      fault: "a clock that is two hours behind, at a join",
      look: () => {
        const places = ["--node", "vm-7", "--address", three, "--loopback", three, "--no-start"];
        return all(
          heddle(["join", controller, newToken(), ...places], {
            state: `${folder}/late`,
            env: clockOff?.(-7_200) ?? {},
          }),
        );
      },
      says: [/this clock is 2 h 0 min behind the controller's/, /Turn time synchronisation on/],
      skip: clockOff === null,
    },
    {
      fault: "a certificate that has ended",
      look: () => all(check(second, { env: clockOff?.(25 * 3_600) ?? {} })),
      says: [/✗ HED0004 certificate of the machine: ended 6\d min ago\n +The proxy renews it/],
      skip: clockOff === null,
    },
    {
      fault: "a registry that is away",
      look: () => without("registry", () => all(check(first)) + all(operator("status"))),
      says: [
        /! HED0011 registry: Cannot reach .*\n.*is `heddle registry` running at/,
        /cannot reach the registry/,
      ],
    },
    {
      fault: "a controller that is away",
      look: () => without("controller", () => all(check(first)) + all(operator("status"))),
      says: [
        /! HED0005 controller: Cannot reach .*\n.*is `heddle controller` running at/,
        /Is `heddle controller` running there/,
      ],
    },
    {
      fault: "a disk that is full",
      look: () => {
        mkdirSync(`${folder}/small`);
        const state = `${folder}/small/state`;
        const at = ["--node", "vm-8", "--address", three, "--loopback", three, "--no-start"];
        return all(
          mounted(`mount -t tmpfs -o size=16k none ${folder}/small`, ["init", "--state", state, ...at]),
        );
      },
      says: [/no space is left/, /Make room, then try again/],
      skip: !isRoot,
    },
    {
      fault: "state that cannot be written",
      look: () => {
        const mount = `mount --bind ${second} ${second} && mount -o remount,ro,bind ${second}`;
        return all(mounted(mount, ["check", "--state", second]));
      },
      says: [/✗ HED0012 state folder: .*the file system is read-only\n +Mount its file system for writing/],
      skip: !isRoot,
    },
    {
      fault: "a port that is taken",
      look: () => all(heddle(["proxy"], { state: first })),
      says: [/the port is taken by heddle \(pid \d+\)/, /Stop heddle \(pid \d+\)/],
    },
    {
      fault: "a firewall",
      look: async () => {
        const wall = await silentPort(two, wallPort, `${folder}/wall.log`);
        running.set("wall", wall);
        const state = changed("wall", (settings) => void (settings.ports.inbound = wallPort));
        const said = all(check(state));
        wall.kill("SIGKILL");
        return said;
      },
      says: [/✗ HED0007 inbound port: .*no answer: a firewall is in between.*\n +Open TCP port 7999/],
    },
    {
      fault: "a name of the controller that nobody knows",
      look: () => {
        const move = (each: { host: string }): void => void (each.host = "nowhere.invalid");
        return all(check(changed("name", ({ controllers }) => controllers.forEach(move))));
      },
      says: [/✗ HED0005 controller: Cannot reach nowhere.invalid.*ENOTFOUND.*\n +Mend the name in DNS/],
    },
    {
      fault: "a policy that is missing",
      look: () => all(operator("apply", "-f", write("missing", service(", policies: [{use: nowhere}]")))),
      says: [/mesh.yaml:1:\d+: error: .*there is no policy "nowhere"; known are header-route/],
    },
    {
      fault: "a policy without its options",
      look: () => {
        const text = policy.replace("options: v.strictObject({}), ", "");
        return all(operator("apply", "-f", write("bare", service(""), text)));
      },
      says: [
        /thrower.ts:\d+:\d+: error: options is missing: expected a schema, v.strictObject\(\{\}\) for none/,
      ],
    },
    {
      fault: "a route to nothing",
      look: () =>
        all(
          operator(
            "apply",
            "-f",
            write(
              "route",
              "{kind: HTTPRoute, name: web, service: web, rules: [{match: {path: /}, split: {nowhere: 100}}]}\n",
            ),
          ),
        ),
      says: [/mesh.yaml:1:\d+: error: rules\[0\].split.nowhere: there is no Service nowhere.default/],
    },
    {
      fault: "weights of zero",
      look: () =>
        all(
          operator(
            "apply",
            "-f",
            write(
              "zero",
              "{kind: HTTPRoute, name: web, service: web, rules: [{match: {path: /}, split: {web: 0}}]}\n",
            ),
          ),
        ),
      says: [/rules\[0\].split: all weights are 0, so nobody would answer/],
    },
    {
      fault: "two machines with one name",
      look: () => all(joinAs("vm-2", newToken())),
      says: [/already a machine named vm-2, with another key\n +Choose another name with --node/],
    },
    {
      fault: "a token that was used",
      look: () => {
        const token = newToken();
        expect(joinAs("vm-3", token).code).toBe(0);
        return all(joinAs("vm-4", token, `${folder}/joins-again`));
      },
      says: [/This token is not valid: it was used/, /heddle token create/],
    },
    {
      fault: "access that is denied",
      look: async () => {
        const rules =
          "---\n{kind: Access, name: web, service: web, allow: [{from: orders, methods: [GET]}]}\n";
        expect(operator("apply", "-f", write("access", service("") + rules)).code).toBe(0);
        return await call();
      },
      says: [
        /^403 heddle: web.default may not GET \/ of web.default: no access rule allows it/,
        /Next: heddle get Access/,
      ],
    },
    {
      fault: "a policy that fails",
      look: async () => {
        const open = "---\n{kind: Access, name: web, service: web, allow: [{from: web}, {from: orders}]}\n";
        const docs = service(", policies: [{use: thrower}]") + open;
        expect(operator("apply", "-f", write("failing", docs, policy)).code).toBe(0);
        for (let calls = 0; calls < 3; calls++) await call();
        return all(check(first));
      },
      says: [
        /! HED0010 policy thrower: it failed 5 times.*thrower.ts:\d+:\d+: Error: boom\n +Mend it and apply again/,
      ],
    },
    {
      fault: "a machine that was removed",
      look: () => {
        operator("node", "remove", "vm-2");
        return all(check(second));
      },
      says: [/✗ HED0005 controller: .*was revoked\n +Join again with a new token/],
    },
  ];

  for (const { fault, look, says, skip = false } of table)
    test.skipIf(skip)(`is named with its cure: ${fault}`, async () => await told(look, says), 30_000);
});
