/**
 * Real machines for system tests: guests of systemd-nspawn, each with its own systemd as first process, its own network namespace
 * on one bridge, its own cgroup, and a file system of its own above one that all share. Nothing of the host's network is touched.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Said } from "./command.ts";
import { machineRoot, rootMissing } from "./machine_root.ts";
import { hangMs } from "./patience.ts";
import {
  hasProgram,
  plainEnvironment,
  runProgram,
  startProgram,
  waitFor,
  type Program,
} from "./processes.ts";

/** Why this host can make no machines, for the name of what is skipped; null: it can. */
export const machinesMissing: string | null = whyNone();

function whyNone(): string | null {
  if (process.getuid?.() !== 0) return "it takes root";
  const program = ["systemd-nspawn", "ip", "nsenter", "unshare", "mount"].find((name) => !hasProgram(name));
  if (program !== undefined) return `there is no ${program}`;
  if (cgroups() === null) return "no unified cgroup hierarchy is mounted";
  const tried = spawnSync("unshare", ["--net", "--mount", "ip", "link", "add", "probe", "type", "bridge"]);
  if (tried.status !== 0) return "no bridge can be made in a network namespace of its own";
  return rootMissing();
}

/** Where the unified hierarchy is mounted. */
function cgroups(): string | null {
  return mountedAs((type) => type === "cgroup2");
}

/** The hierarchy of the older kind that counts memory, where the unified one does not. */
function memoryCgroups(): string | null {
  return mountedAs((type, options) => type === "cgroup" && options.split(",").includes("memory"));
}

function mountedAs(is: (type: string, options: string) => boolean): string | null {
  const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
  return (
    mounts.map((line) => line.split(" ")).find(([, , type = "", options = ""]) => is(type, options))?.[1] ??
    null
  );
}

/** Whether MemoryMax= of a guest's unit does anything. */
const guestsCountMemory = textOf(`${cgroups() ?? ""}/cgroup.controllers`)
  .split(/\s+/)
  .includes("memory");

/** Why units of guests cannot be held to an amount of memory, for the name of what is skipped; null: they can. */
export const memoryMissing: string | null =
  guestsCountMemory || memoryCgroups() !== null ? null : "no hierarchy of cgroups of this host counts memory";

const network = "10.83.7";

export class Machine {
  #guest: Program | null = null;

  constructor(
    readonly name: string,
    readonly address: string,
    /** Of its files on the host. */
    readonly folder: string,
    readonly namespace: string,
    readonly cgroup: string,
  ) {}

  /** Its file system, seen from the host. */
  get root(): string {
    return `${this.folder}/root`;
  }

  /** Boots it, and waits until systemd has started everything. */
  async start(): Promise<void> {
    mkdirSync(this.cgroup, { recursive: true });
    const nspawn = [
      ...["systemd-nspawn", "--quiet", `--directory=${this.root}`, `--machine=${this.name}`],
      ...["--register=no", "--keep-unit", "--console=read-only", "--boot"],
      ...[`--network-namespace-path=/run/netns/${this.namespace}`, "--resolv-conf=off", "--timezone=off"],
      // Over its own network namespace alone.
      "--capability=CAP_NET_ADMIN",
      // What seals policies is none of what containers are given by themselves.
      "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    ];
    // The guest outlives nspawn; in a namespace of processes of its own it ends with whoever started it.
    const bound = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc"];
    const enter = ["sh", "-c", 'echo 0 > "$0" && exec "$@"', `${this.cgroup}/cgroup.procs`];
    this.#guest = startProgram({
      name: this.name,
      command: [...bound, ...enter, ...nspawn],
      log: `${this.folder}/console.log`,
      env: plainEnvironment({ SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" }),
    });
    await this.#untilUp();
  }

  /** One that boots again keeps all that was on its disk; what it was told to lose by `before` is gone. */
  async reboot(before: (machine: Machine) => void = () => {}): Promise<void> {
    await this.stop();
    before(this);
    await this.start();
  }

  /** Runs a command line of the shell in it, as root who is logged in. Never throws for how it ends. */
  run(line: string, options: { readonly limitMs?: number } = {}): Said {
    const pid = this.#initPid();
    if (pid === null) return { code: null, out: "", err: `${this.name} does not run` };
    const login = `${this.#cgroupOfGuest(pid)}/user.slice/user-0.slice/session-1.scope`;
    const entering = ["sh", "-c", 'mkdir -p "$0" && echo 0 > "$0/cgroup.procs" && exec "$@"', login];
    const words = [
      "nsenter",
      "-t",
      String(pid),
      "-a",
      "env",
      "-i",
      ...inside,
      "sh",
      "-c",
      `cd /root && ${line}`,
    ];
    const answer = spawnSync(entering[0] as string, [...entering.slice(1), ...words], {
      encoding: "utf8",
      timeout: options.limitMs ?? hangMs,
    });
    return { code: answer.status, out: answer.stdout, err: answer.stderr };
  }

  /** The same; throws what it said when it failed. */
  must(line: string): string {
    const { code, out, err } = this.run(line);
    if (code === 0) return out;
    throw new Error(`${this.name}: \`${line}\` ended with ${code}: ${out}${err}`);
  }

  /**
   * Lets the processes of a unit take no more than so much memory from now on; beyond it the kernel ends them. Where guests count no
   * memory, their host does. Call what it returns once they are gone.
   */
  holdToMemory(unit: string, bytes: number): () => void {
    if (guestsCountMemory) {
      this.must(`systemctl set-property --runtime ${unit} MemoryMax=${bytes} MemorySwapMax=0`);
      return () => void this.must(`systemctl set-property --runtime ${unit} MemoryMax=50%`);
    }
    const group = `${memoryCgroups()}/${this.namespace}`;
    mkdirSync(group);
    writeFileSync(`${group}/memory.limit_in_bytes`, String(bytes));
    const own = this.must(`systemctl show --value --property=ControlGroup ${unit}`).trim();
    const processes = `${this.#cgroupOfGuest(this.#initPid() ?? 0)}${own}/cgroup.procs`;
    for (const pid of textOf(processes).split("\n").filter(Boolean))
      writeFileSync(`${group}/cgroup.procs`, pid);
    return () => rmdirSync(group);
  }

  /** Powers it off in good order. */
  async stop(): Promise<void> {
    const pid = this.#initPid();
    // SIGRTMIN+4: poweroff.target.
    if (pid !== null) runProgram(["kill", "-38", String(pid)]);
    const late = setTimeout(() => this.#guest?.kill("SIGKILL"), hangMs);
    await this.#guest?.exited;
    clearTimeout(late);
    this.#guest = null;
    await this.#emptied();
  }

  /** As if somebody had pulled its plug. */
  async cut(): Promise<void> {
    this.#guest?.kill("SIGKILL");
    await this.#guest?.exited;
    this.#guest = null;
    await this.#emptied();
  }

  /** Its processes are gone: only then it may start again. */
  async #emptied(): Promise<void> {
    const events = `${this.cgroup}/cgroup.events`;
    await waitFor(`all of ${this.name} is gone`, () =>
      /populated 1/.test(readFileSync(events, "utf8")) ? null : true,
    );
  }

  async #untilUp(): Promise<void> {
    const up = (): true | null =>
      this.#initPid() !== null && /^(running|degraded)/.test(this.run("systemctl is-system-running").out)
        ? true
        : null;
    const program = this.#guest ?? undefined;
    await waitFor(`${this.name} is up`, up, { everyMs: 100, ...(program === undefined ? {} : { program }) });
  }

  /** The folder that the guest takes for the root of all cgroups. */
  #cgroupOfGuest(initPid: number): string {
    const path = /^0::(.*?)(?:\/init\.scope)?$/m.exec(textOf(`/proc/${initPid}/cgroup`))?.[1] ?? "";
    return `${cgroups()}${path}`;
  }

  /** The first process of the guest, below unshare and nspawn; null while there is none. */
  #initPid(): number | null {
    const guest = this.#guest;
    if (guest === null || guest.ended !== null) return null;
    const [nspawn] = childrenOf(guest.pid);
    const init = nspawn === undefined ? undefined : childrenOf(nspawn).find(isInit);
    return init ?? null;
  }
}

function childrenOf(pid: number): number[] {
  const words = textOf(`/proc/${pid}/task/${pid}/children`).trim().split(/\s+/);
  return words.filter((word) => word !== "").map(Number);
}

function isInit(pid: number): boolean {
  return textOf(`/proc/${pid}/comm`).trim() === "systemd";
}

/** Empty where the process is gone. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const inside = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME=/root",
  "LC_ALL=C",
];

export class Machines {
  readonly #folder = mkdtempSync(`${tmpdir()}/heddle-machines-`);
  readonly #bridge = `heddle-${process.pid}`;
  readonly #machines: Machine[] = [];

  /** Boots machines of these names, which reach each other at 10.83.7.1 and on, and nobody else. */
  static async start(names: readonly string[]): Promise<Machines> {
    const machines = new Machines();
    try {
      machines.#makeNetwork();
      names.forEach((name, at) => machines.#make(name, at + 1));
      await Promise.all(machines.#machines.map((machine) => machine.start()));
    } catch (error) {
      await machines.stop();
      throw error;
    }
    return machines;
  }

  get(name: string): Machine {
    const found = this.#machines.find((machine) => machine.name === name);
    if (found === undefined) throw new Error(`There is no machine ${name}`);
    return found;
  }

  /** Ends all of them, at once. */
  async stop(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.cut()));
    for (const { root, namespace, cgroup } of this.#machines) {
      spawnSync("umount", [root]);
      spawnSync("ip", ["netns", "delete", namespace]);
      removeCgroup(cgroup);
    }
    spawnSync("ip", ["netns", "delete", this.#bridge]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #makeNetwork(): void {
    const bridge = this.#bridge;
    runProgram(["ip", "netns", "add", bridge]);
    runProgram(["ip", "-n", bridge, "link", "add", "br0", "type", "bridge"]);
    runProgram(["ip", "-n", bridge, "link", "set", "br0", "up"]);
  }

  #make(name: string, at: number): void {
    const bridge = this.#bridge;
    const namespace = `${bridge}-${at}`;
    const address = `${network}.${at}`;
    runProgram(["ip", "netns", "add", namespace]);
    const ends = ["type", "veth", "peer", "name", `port${at}`, "netns", bridge];
    runProgram(["ip", "-n", namespace, "link", "add", "eth0", ...ends]);
    runProgram(["ip", "-n", bridge, "link", "set", `port${at}`, "master", "br0", "up"]);
    runProgram(["ip", "-n", namespace, "address", "add", `${address}/24`, "dev", "eth0"]);
    for (const link of ["lo", "eth0"]) runProgram(["ip", "-n", namespace, "link", "set", link, "up"]);

    const folder = `${this.#folder}/${name}`;
    for (const part of ["root", "upper", "work"]) mkdirSync(`${folder}/${part}`, { recursive: true });
    const layers = `lowerdir=${machineRoot()},upperdir=${folder}/upper,workdir=${folder}/work`;
    runProgram(["mount", "-t", "overlay", "overlay", "-o", layers, `${folder}/root`]);
    writeFileSync(`${folder}/root/etc/hostname`, `${name}\n`);
    const machine = new Machine(name, address, folder, namespace, `${cgroups()}/${namespace}`);
    this.#machines.push(machine);
  }
}

/** With those below it: what is empty of processes can be removed folder by folder. */
function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  const folders = runProgram(["find", path, "-depth", "-type", "d"]).trim().split("\n");
  for (const folder of folders) rmdirSync(folder);
}
