/**
 * Names of the mesh in /etc/hosts, on machines whose resolver cannot be told whom to ask. The proxy, which may change nothing of the
 * machine, writes them to a folder of its own; a unit of root that is started by each change of that file takes them over into a marked block.
 * What it takes over is read strictly: addresses of the mesh's own range, and names below `.mesh`, however the file came to be.
 */
import { failure, success, type Result } from "../base/result.ts";
import { limits } from "../model/limits.ts";
import { hardeningOfSystem } from "./hardening.ts";
import type { Step } from "./plan.ts";
import { unitText, unitWord } from "./unit_text.ts";
import { runtimeFolder } from "./units.ts";

export const hostsFile = "/etc/hosts";
/** What the proxy writes, in the folder that systemd made for it. */
export const hostsName = "hosts";
export const hostsSource = `${runtimeFolder}/${hostsName}`;

const first = "# heddle: names of the mesh, from here (heddle uninstall takes them away)";
const last = "# heddle: to here";
const service = "heddle-hosts.service";
const path = "heddle-hosts.path";
/** systemctl(1): a unit that is not there has not failed. */
const notLoaded = 1;

export interface HostName {
  /** Virtual address: 127.100.232.249. */
  readonly address: string;
  /** `orders.mesh`, then what it is called besides. */
  readonly names: readonly string[];
}

export function hostsText(hosts: readonly HostName[]): string {
  return hosts.map(({ address, names }) => `${address} ${names.join(" ")}\n`).join("");
}

const octet = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)";
const name = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)?\\.mesh";
const line = new RegExp(`^127\\.100\\.${octet}\\.${octet}(?: ${name}){1,2}$`);

export const tooManyHosts = failure(`it has more than ${limits.hostsBytesMax} characters`);

/** The lines of what the proxy wrote; or which of them is none. */
export function readHosts(text: string): Result<readonly string[], string> {
  if (text.length > limits.hostsBytesMax) return tooManyHosts;
  const lines = text.split("\n").filter((each) => each !== "");
  const at = lines.findIndex((each) => !line.test(each));
  return at < 0 ? success(lines) : failure(`line ${at + 1} is no address of the mesh with its names`);
}

/** `text` with these lines in the block; with [] without a block. All else stays as it is, byte for byte. */
export function withHosts(text: string, lines: readonly string[]): string {
  const from = text.indexOf(`${first}\n`);
  const to = text.indexOf(`${last}\n`, from);
  const isThere = from >= 0 && to >= 0;
  const before = isThere ? text.slice(0, from) : text;
  const after = isThere ? text.slice(to + last.length + 1) : "";
  if (lines.length === 0) return before + after;
  const gap = before === "" || before.endsWith("\n") ? "" : "\n";
  return `${before}${gap}${first}\n${lines.join("\n")}\n${last}\n${after}`;
}

export function hasHosts(text: string): boolean {
  return text.includes(`${first}\n`);
}

/** `units`: the folder of unit files. */
export function hostsSteps(units: string, program: string): readonly Step[] {
  const command = [program, "hosts"];
  const serviceText = unitText({
    Unit: { Description: "heddle: names of the mesh in /etc/hosts" },
    Service: {
      Type: "oneshot",
      ExecStart: command.map(unitWord).join(" ").replaceAll("$", "$$$$"),
      UnsetEnvironment: "BUN_OPTIONS BUN_BE_BUN",
      ...hardeningOfSystem(false),
      // It reads a file of the proxy's, and replaces one of root's.
      ReadWritePaths: "/etc",
      PrivateNetwork: "yes",
      TimeoutStartSec: "30s",
    },
  });
  const pathText = unitText({
    Unit: { Description: "heddle: changes of the names of the mesh" },
    Path: { PathChanged: hostsSource },
    Install: { WantedBy: "multi-user.target" },
  });
  const files = [`${units}/${service}`, `${units}/${path}`];
  const step = (run: readonly string[] | null, undo: readonly string[] | null): Step => ({
    ...{ kind: "run", command: run, when: "always", undo },
    ...(undo === null ? {} : { undoNeeds: files, undoFine: [notLoaded] }),
  });
  return [
    // When the files are gone again.
    { kind: "run", command: null, when: "always", undo: ["systemctl", "daemon-reload"] },
    { kind: "write", path: files[0] as string, text: serviceText },
    { kind: "write", path: files[1] as string, text: pathText },
    step(["systemctl", "daemon-reload"], null),
    step(["systemctl", "enable", "--now", path], ["systemctl", "disable", "--now", path]),
    // The proxy may have written it before.
    step(["systemctl", "start", service], [program, "hosts", "--remove"]),
  ];
}
