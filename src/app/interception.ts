/**
 * Interception on this machine: rules of its firewall that are tried, confirmed, looked after and taken back. What is in force is a file of
 * root's, apart from the Machine document that the proxy may read: a trial, which a timer of systemd takes back unless it is confirmed, or what was.
 */
import type { Runtime } from "../../runtime/contract.ts";
import type { Address } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import { readJson } from "../identity/credential_store.ts";
import {
  emptyRuleset,
  ruleset,
  tableName,
  type ClearCaller,
  type InterceptedUnit,
} from "../intercept/rules.ts";
import { sliceFolder } from "../intercept/slice.ts";
import { readClearCallers, readStanding, type Standing, type StandingRule } from "../intercept/standing.ts";
import { limits } from "../model/limits.ts";
import { ports, redirectedPorts } from "../model/ports.ts";
import { runCommand, tryCommand } from "../systemd/commands.ts";
import {
  earlyUnit,
  interceptFiles,
  interceptUnit,
  keepTimer,
  undoTimer,
  undoUnit,
} from "../systemd/intercept_units.ts";
import { refusesLoopback6 } from "../systemd/loopback_rules.ts";
import { cgroupRoot } from "../systemd/unit_cgroups.ts";
import { sshPorts } from "./ssh_ports.ts";
import { connectedPeers, listeningPorts, peersAt } from "../systemd/connections.ts";
import type { UnitFacts } from "../systemd/unit_facts.ts";
import type { Settings } from "./settings.ts";

type Host = Pick<Runtime, "files" | "process">;

/** As its file has it. */
interface Kept {
  readonly units: readonly InterceptedUnit[];
  /** Where controllers and registries are, which are left alone. */
  readonly control: readonly Address[];
}

/** What is in force here. */
export interface InForce extends Kept {
  /** Nobody confirmed it yet. */
  readonly isTrial: boolean;
}

export class MachineInterception {
  constructor(readonly host: Host) {}

  /** The rules as they would be loaded now. */
  async rules({ units, control }: Kept): Promise<string> {
    const ssh = await sshPorts(this.host);
    const addresses = await connectedPeers(this.host.files, ssh);
    const exclusions = { ports: ssh, addresses, places: control.filter(({ host }) => isAddress(host)) };
    for (const { unit, ports: own } of units) requireNotSsh(unit, own, exclusions.ports);
    return ruleset({ units, exclusions, ports: await this.#redirectedTo(), clear: await this.#clear() });
  }

  /** Where the proxy that runs listens. One of an earlier version does elsewhere, until it is started again by the program that is in place. */
  async #redirectedTo(): Promise<readonly number[]> {
    const open = await listeningPorts(this.host.files);
    const isEarlier = open.has(ports.redirectedBefore) && !open.has(ports.redirected);
    return isEarlier ? [ports.redirectedBefore] : redirectedPorts;
  }

  /** As it is counted, or was when it was looked last. */
  async #clear(): Promise<readonly ClearCaller[]> {
    const { clear = [] } = (await this.standing()) ?? {};
    return clear.length > 0 ? clear : readClearCallers(await this.host.files.read(interceptFiles.clear));
  }

  async inForce(): Promise<InForce> {
    const trial = await this.#read(interceptFiles.trial);
    const kept = trial ?? (await this.#read(interceptFiles.confirmed)) ?? nothing;
    return { ...kept, isTrial: trial !== null };
  }

  /** Of units that the Machine document wants intercepted those that are not: the rules were taken back, or a trial ended without a word. */
  async notInForce(wanted: readonly InterceptedUnit[]): Promise<readonly string[]> {
    const { units } = await this.inForce();
    return wanted.flatMap(({ unit }) => (units.some((each) => each.unit === unit) ? [] : [unit]));
  }

  /** Puts these in force, to be confirmed in time; what was confirmed before needs nobody. */
  async try(wanted: Kept, said: (text: string) => void): Promise<InForce> {
    const { files, process } = this.host;
    const text = JSON.stringify(wanted);
    const confirmed = await this.#read(interceptFiles.confirmed);
    const isTrial = text !== JSON.stringify(confirmed);
    if (isTrial) {
      await this.#writeBefore(confirmed ?? nothing);
      await this.#write(interceptFiles.trial, text);
      // Before the rules: from here on they go again, whatever becomes of this.
      await this.#run(["systemctl", "restart", undoTimer], said);
    } else await files.remove(interceptFiles.trial);
    try {
      await this.#run(["systemctl", "enable", "--quiet", interceptUnit, earlyUnit], said);
      await this.#run(["systemctl", "reload-or-restart", interceptUnit], said);
    } catch (error) {
      // Some of it may stand already: what strict units have is loaded where the rest could not be.
      if (isTrial) await tryCommand(process, ["systemctl", "start", undoUnit]);
      if (isTrial) await files.remove(interceptFiles.trial);
      await tryCommand(process, ["systemctl", "stop", undoTimer]);
      throw error;
    }
    return { ...wanted, isTrial };
  }

  /** Takes units out, which needs nobody's word: what is left was in force before. */
  async without(unit: string, said: (text: string) => void): Promise<void> {
    let left = 0;
    for (const path of [interceptFiles.trial, interceptFiles.confirmed]) {
      const kept = await this.#read(path);
      if (kept === null) continue;
      const units = kept.units.filter((each) => each.unit !== unit);
      if (units.length !== kept.units.length) await this.#write(path, JSON.stringify({ ...kept, units }));
      left += units.length;
    }
    const isTried = (await this.#read(interceptFiles.trial)) !== null;
    if (isTried) await this.#writeBefore((await this.#read(interceptFiles.confirmed)) ?? nothing);
    if (left === 0) await this.undo(said);
    else await this.#run(["systemctl", "reload-or-restart", interceptUnit], said);
  }

  /** The rules stay. */
  async confirm(): Promise<InForce> {
    const { files, process } = this.host;
    const tried = await this.#read(interceptFiles.trial);
    if (tried === null)
      throw new UserError(
        "Cannot confirm interception: nothing waits for it",
        "heddle intercept status shows what is in force; heddle attach UNIT --intercept tries it again",
      );
    await this.#write(interceptFiles.confirmed, JSON.stringify(tried));
    await runCommand(process, ["systemctl", "stop", undoTimer]);
    await files.remove(interceptFiles.trial);
    return { ...tried, isTrial: false };
  }

  /** Takes all of it back, for good. Connections that were redirected go on. */
  async undo(said: (text: string) => void): Promise<void> {
    const { files, process } = this.host;
    await files.remove(interceptFiles.trial);
    await files.remove(interceptFiles.confirmed);
    await files.remove(interceptFiles.clear);
    for (const path of [interceptFiles.off, interceptFiles.rest]) await this.#write(path, emptyRuleset());
    // By nft alone, whatever the units do.
    if (await this.#stands()) await this.#run(["nft", "-f", interceptFiles.off], said);
    await tryCommand(process, ["systemctl", "stop", undoTimer]);
    await tryCommand(process, ["systemctl", "disable", "--now", interceptUnit]);
    // It has nothing that could stop, and strict units that require it would.
    await tryCommand(process, ["systemctl", "disable", earlyUnit]);
  }

  /** For the units: loads what is in force, or what of it stands before the proxy does, in one transaction. Says what it did. */
  async load(which: Which): Promise<string> {
    const { files, process } = this.host;
    const inForce = await this.inForce();
    const units = unitsOf(inForce, which);
    // The rules name their control groups, which have to be there. Those of slices stay.
    if (inForce.units.length > 0)
      await runCommand(process, ["systemctl", "start", ...inForce.units.map(({ slice }) => slice)]);
    const root = await cgroupRoot(files);
    for (const { slice } of inForce.units)
      if ((await files.stat(`${root}/${sliceFolder(slice)}`)) === null)
        throw new UserError(`Cannot load rules: ${slice} has no control group ${root}/${sliceFolder(slice)}`);
    await this.#write(interceptFiles.off, emptyRuleset());
    await this.#write(interceptFiles.rest, await this.#rulesOf(inForce, "early"));
    await this.#write(interceptFiles.rules, await this.#rulesOf(inForce, which));
    await runCommand(process, ["nft", "-f", interceptFiles.rules]);
    if (units.length === 0) return which === "all" ? "no unit is intercepted" : "no unit is strict";
    const until = inForce.isTrial ? ", until somebody confirms it or its time is over" : "";
    return `${units.map(({ unit }) => unit).join(", ")}: intercepted${until}`;
  }

  /** What stands again when nobody confirms in time. */
  async #writeBefore(confirmed: Kept): Promise<void> {
    await this.#write(interceptFiles.before, await this.#rulesOf(confirmed, "all"));
    await this.#write(interceptFiles.restBefore, await this.#rulesOf(confirmed, "early"));
  }

  async #rulesOf(kept: Kept, which: Which): Promise<string> {
    const units = unitsOf(kept, which);
    return units.length === 0 ? emptyRuleset() : await this.rules({ ...kept, units });
  }

  /** For the unit of the timer: loads again what somebody flushed, and takes away what is not in force. null: all is as it should be. */
  async keep(): Promise<string | null> {
    const { files, process } = this.host;
    const standing = await this.standing();
    const isActive =
      (await tryCommand(process, ["systemctl", "is-active", "--quiet", interceptUnit])).code === 0;
    const which = isActive ? "all" : "early";
    const inForce = await this.inForce();
    const units = unitsOf(inForce, which);
    if ((standing?.rules ?? []).some((rule) => !inForce.units.some((unit) => asksFor(unit, rule))))
      return `rules stood that are not in force: loaded again. ${await this.load(which)}`;
    if (units.length === 0) return await this.#tidy(standing, isActive);
    if (standing !== null && standing.clear.length > 0)
      await files.writeAtomic(interceptFiles.clear, `${JSON.stringify(standing.clear)}\n`, 0o644);
    const missing = units.filter(({ unit }) => !(standing?.rules ?? []).some((rule) => rule.unit === unit));
    const stale = (standing?.rules ?? []).filter(({ stale: isStale }) => isStale);
    if (missing.length === 0 && stale.length === 0) return null;
    const why =
      standing === null
        ? "the firewall was flushed"
        : "slices were made anew, rules were removed, or the proxy listens elsewhere now";
    return `${why}: loaded again. ${await this.load(which)}`;
  }

  /** null: none of it stands. */
  async standing(): Promise<Standing | null> {
    const { code, output } = await tryCommand(this.host.process, [
      "nft",
      "--json",
      "list",
      "table",
      "inet",
      tableName,
    ]);
    return code === 0 ? readStanding(output, await this.#redirectedTo()) : null;
  }

  /** Once the last connection that was redirected is gone, so is the hook that kept it. */
  async #tidy(standing: Standing | null, isActive: boolean): Promise<string | null> {
    const { files, process } = this.host;
    if (standing === null) {
      if (!isActive) await tryCommand(process, ["systemctl", "stop", "--no-block", keepTimer]);
      return null;
    }
    if (standing.rules.length > 0) return null;
    if ((await peersAt(files, [...redirectedPorts, ports.redirectedBefore])) > 0) return null;
    await tryCommand(process, ["nft", "delete", "table", "inet", tableName]);
    return "the last connection that was redirected is gone, and so is the table";
  }

  async #stands(): Promise<boolean> {
    return (await this.standing()) !== null;
  }

  async #run(command: readonly string[], said: (text: string) => void): Promise<void> {
    said(`run ${command.join(" ")}`);
    await runCommand(this.host.process, command);
  }

  async #read(path: string): Promise<Kept | null> {
    return await readJson<Kept>(this.host.files, path);
  }

  async #write(path: string, text: string): Promise<void> {
    const { files } = this.host;
    await files.makeFolder(path.slice(0, path.lastIndexOf("/")), 0o755);
    await files.writeAtomic(path, `${text.trimEnd()}\n`, 0o644);
  }
}

/** Of the units in force: all, or those whose rules stand while the proxy does not run, too. */
type Which = "all" | "early";

function unitsOf({ units }: Kept, which: Which): readonly InterceptedUnit[] {
  return which === "all" ? units : units.filter(({ strict }) => strict);
}

function asksFor({ unit, outbound, inbound }: InterceptedUnit, rule: StandingRule): boolean {
  const whats = ["mesh", inbound, ...(outbound === "all" ? ["all", "all6"] : [])];
  return rule.unit === unit && whats.includes(rule.what);
}

const nothing: Kept = { units: [], control: [] };

/** Of a machine with these settings, which only its proxy and root may read. */
export function interceptionOf(
  units: readonly InterceptedUnit[],
  { controllers, registries }: Settings,
): Kept {
  return { units, control: [...controllers, ...registries] };
}

/** How long the trial has, in words. */
export const confirmTime = `${limits.interceptConfirmMs / 1_000} s`;

/** A name may mean another address tomorrow: whoever has one is left alone by nobody. */
function isAddress(text: string): boolean {
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) || text.includes(":");
}

function requireNotSsh(unit: string, own: readonly number[], ssh: readonly number[]): void {
  const shared = own.find((port) => ssh.includes(port));
  if (shared === undefined) return;
  throw new UserError(
    `Cannot intercept ${unit}: its port ${shared} is one of sshd, by which people log in`,
    "Give the app another port",
  );
}

/** The kernel looks at where a connection leads once it was redirected: by the proxy the unit would reach what its own filter keeps it from. */
export function requireUnfiltered(
  { unit, outbound }: InterceptedUnit,
  { egressFilter }: Pick<UnitFacts, "egressFilter">,
): void {
  if (outbound !== "all" || egressFilter === "") return;
  throw new UserError(
    `Cannot intercept all that ${unit} calls: it has ${egressFilter}=, and what the proxy passes on for it would go around that`,
    "Leave it with --outbound mesh, or say in the Mesh document what may leave (egress: declared) and take it out of the unit",
  );
}

/** What another firewall refuses of what these units call, where it does, and what to do. */
export async function refused6(
  process: Host["process"],
  units: readonly InterceptedUnit[],
): Promise<{ readonly detail: string; readonly cure: string } | null> {
  const all = units.filter(({ outbound }) => outbound === "all").map(({ unit }) => unit);
  const table = all.length === 0 ? null : await refusesLoopback6(process);
  if (table === null) return null;
  return {
    detail: `what ${all.join(", ")} calls over IPv6 is refused: a rule of the table ${table} lets nothing be redirected to ::1`,
    cure:
      table === "inet firewalld"
        ? "Say RFC3964_IPv4=no in /etc/firewalld/firewalld.conf, then: systemctl restart firewalld"
        : "Take ::1 out of that rule",
  };
}

/** Throws why this machine cannot have such rules, with the cure. */
export async function requireInterceptable({ files, process }: Host): Promise<void> {
  if (process.user !== 0)
    throw new UserError("Cannot intercept: rules of the firewall are root's", "Run it as root (with sudo)");
  if ((await files.stat("/sys/fs/cgroup/cgroup.controllers")) === null)
    throw new UserError(
      "Cannot intercept: this machine has control groups of version 1, by which nft tells no unit",
      "Boot it with systemd.unified_cgroup_hierarchy=1; or call by name or by an explicit port",
    );
  const nft = await tryCommand(process, ["nft", "--version"]).catch(() => null);
  if (nft?.code !== 0)
    throw new UserError("Cannot intercept: there is no nft on this machine", "Install nftables");
}
