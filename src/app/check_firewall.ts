/**
 * Whether a firewall of this machine keeps other machines out: by the rules in force, and by those that it loads at boot. The controller
 * tries the ports, too (HED0007), while it is there; here is said by which rules they are shut.
 */
import type { Files, ProcessHost } from "../../runtime/contract.ts";
import { tryCommand } from "../systemd/commands.ts";
import { reachable, savedRulesets, type RulesetKind } from "../systemd/saved_ruleset.ts";
import { ok, warn, type Finding } from "./finding.ts";
import type { Settings } from "./settings.ts";

interface Host {
  readonly files: Pick<Files, "read" | "list">;
  readonly process: Pick<ProcessHost, "spawn" | "env" | "user">;
}

export async function checkFirewall({ files, process }: Host, settings: Settings): Promise<Finding[]> {
  const ports = portsForOthers(settings);
  const enabled = await enabledUnits(files);
  const findings = await checkInForce({ files, process }, ports);
  for (const { path, kind, unit } of savedRulesets.filter((each) => enabled.has(each.unit))) {
    const bytes = await files.read(path).catch(() => null);
    if (bytes === null) continue;
    const text = new TextDecoder().decode(bytes);
    findings.push(findingOf(`${path}, which ${unit} loads at boot,`, kind, text, ports));
  }
  return findings;
}

/** Only root is told them. */
async function checkInForce({ files, process }: Host, ports: readonly number[]): Promise<Finding[]> {
  if (process.user !== 0) return [];
  const findings: Finding[] = [];
  const listed = await outputOf(process, ["nft", "--stateless", "list", "ruleset"]);
  if (listed !== null)
    findings.push(findingOf("what is in force now (nft list ruleset)", "nft", listed, ports));
  // The older kind of rules, of which nft shows nothing, is there where the kernel has such tables.
  const tables = await files.read("/proc/net/ip_tables_names").catch(() => null);
  if (tables === null || !new TextDecoder().decode(tables).split("\n").includes("filter")) return findings;
  const command = ["iptables-legacy-save", "--table", "filter"];
  const older = await outputOf(process, command);
  const name = `what is in force now (${command[0]})`;
  findings.push(
    older === null
      ? unsure(name, ports, "rules of iptables are loaded that it does not list")
      : findingOf(name, "iptables", older, ports),
  );
  return findings;
}

/** null: there is no such command, or it failed. */
async function outputOf(process: Host["process"], command: readonly string[]): Promise<string | null> {
  const answer = await tryCommand(process, command).catch(() => null);
  return answer?.code === 0 ? answer.output : null;
}

/** `rules`: whose they are, as the beginning of a sentence. */
function findingOf(rules: string, kind: RulesetKind, text: string, ports: readonly number[]): Finding {
  const reach = reachable(kind, text, ports);
  if (reach.shut.length > 0)
    return warn(
      "HED0020",
      "firewall",
      `${rules} lets nobody in to ${reach.shut.join(", ")}`,
      `Let the machines of the mesh in there, by TCP: ${kind === "nft" ? `tcp dport { ${reach.shut.join(", ")} } accept` : `-A INPUT -p tcp -m multiport --dports ${reach.shut.join(",")} -j ACCEPT`}`,
    );
  if (reach.unsure.length > 0)
    return unsure(
      rules,
      reach.unsure,
      "that depends on an address, an interface, a set, another file or what else is not followed here",
    );
  return ok("HED0020", "firewall", `${rules} shuts out nobody from ${ports.join(", ")}`);
}

function unsure(rules: string, ports: readonly number[], why: string): Finding {
  return ok(
    "HED0020",
    "firewall",
    `of ${rules} it cannot be told whether it lets others in to ${ports.join(", ")}: ${why}`,
  );
}

function portsForOthers({ modes, ports, controllers, registries }: Settings): number[] {
  return [
    ...(modes.includes("controller") ? [controllers[0].port] : []),
    ...(modes.includes("registry") ? [registries[0].port] : []),
    ports.inbound,
  ];
}

/** By the links that `systemctl enable` makes. */
async function enabledUnits(files: Host["files"]): Promise<ReadonlySet<string>> {
  const folders = ["sysinit", "basic", "multi-user", "network-pre"].flatMap((target) =>
    ["wants", "requires"].map((kind) => `/etc/systemd/system/${target}.target.${kind}`),
  );
  const lists = await Promise.all(folders.map((folder) => files.list(folder).catch(() => [])));
  return new Set(lists.flat());
}
