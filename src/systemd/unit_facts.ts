/** What the manager and the kernel tell of units: how one is set up, and which of them listen on which ports. */
import type { Files, ProcessHost } from "../../runtime/contract.ts";
import { runCommand, tryCommand } from "./commands.ts";
import type { Manager } from "./manager.ts";

type Host = Pick<ProcessHost, "spawn" | "env">;

export interface UnitFacts {
  /** false: there is no such unit. */
  readonly known: boolean;
  /** `Type=`: simple, notify, oneshot. */
  readonly type: string;
  /** Sockets that start it. */
  readonly sockets: readonly string[];
  /** It has a network of its own: nothing of this machine reaches its loopback. */
  readonly ownNetwork: boolean;
  /** That it runs in, or will; "" where nobody says. */
  readonly slice: string;
  /** What keeps it from addresses (`IPAddressDeny=`, `IPEgressFilterPath=`); "" for nothing. */
  readonly egressFilter: string;
}

const egressFilters = ["IPAddressDeny", "IPEgressFilterPath"];
const asked = [
  ...["LoadState", "Type", "TriggeredBy", "PrivateNetwork", "NetworkNamespacePath", "Slice"],
  ...egressFilters,
];

export async function unitFacts(host: Host, manager: Manager, unit: string): Promise<UnitFacts> {
  const said = await shownProperties(host, manager, unit, asked);
  const of = (name: string): string => said.get(name) ?? "";
  return {
    known: of("LoadState") === "loaded",
    type: of("Type"),
    sockets: of("TriggeredBy")
      .split(" ")
      .filter((name) => name.endsWith(".socket")),
    ownNetwork: of("PrivateNetwork") === "yes" || of("NetworkNamespacePath") !== "",
    slice: of("Slice"),
    egressFilter: egressFilters.find((name) => of(name) !== "") ?? "",
  };
}

/** By their names, as `systemctl show` has them. */
export async function shownProperties(
  host: Host,
  { systemctl }: Manager,
  unit: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const text = await runCommand(host, [...systemctl, "show", `--property=${names.join(",")}`, "--", unit]);
  return new Map(
    text.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)] as const;
    }),
  );
}

export interface UnitListener {
  readonly unit: string;
  readonly address: string;
  readonly port: number;
}

/** A listening socket, by the number that the descriptors of its owners name. */
interface InodeOwner {
  readonly inode: string;
  readonly address: string;
  readonly port: number;
}

/** Which services hold which of these sockets, by the control groups of the processes that have them open: all that this user may see. */
export async function listeningUnits(
  host: Host,
  files: Pick<Files, "read">,
  sockets: readonly InodeOwner[],
): Promise<readonly UnitListener[]> {
  // What belongs to others is closed to users, and what ends meanwhile is gone.
  const find = ["find", "/proc", "-maxdepth", "3", "-path", "/proc/[0-9]*/fd/*", "-lname", "socket:*"];
  const { output } = await tryCommand(host, [...find, "-printf", "%p %l\\n"]);
  const found = new Map<string, UnitListener>();
  const units = new Map<string, string | null>();
  const byInode = new Map(sockets.map((each) => [each.inode, each]));
  for (const [, pid = "", inode = ""] of output.matchAll(/^\/proc\/(\d+)\/fd\/\d+ socket:\[(\d+)\]$/gm)) {
    const socket = byInode.get(inode);
    if (socket === undefined) continue;
    if (!units.has(pid)) units.set(pid, unitOfGroup(await textOf(files, `/proc/${pid}/cgroup`)));
    const unit = units.get(pid) ?? null;
    const { address, port } = socket;
    if (unit !== null) found.set(`${unit} ${address} ${port}`, { unit, address, port });
  }
  return [...found.values()].sort(
    (one, other) => one.unit.localeCompare(other.unit) || one.port - other.port,
  );
}

/** The innermost service of a process, by its file `cgroup` (cgroups(7)), where hierarchies of version 1 may stand beside; null: it is in none. */
function unitOfGroup(text: string): string | null {
  const parts = [...text.matchAll(/^(?:0:|\d+:name=systemd):(.*)$/gm)].flatMap(([, path = ""]) =>
    path.split("/"),
  );
  return parts.findLast((part) => part.endsWith(".service")) ?? null;
}

async function textOf(files: Pick<Files, "read">, path: string): Promise<string> {
  const bytes = await files.read(path).catch(() => null);
  return bytes === null ? "" : new TextDecoder().decode(bytes);
}
