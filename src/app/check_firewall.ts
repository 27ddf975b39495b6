/** Whether what a firewall of this machine loads at boot keeps other machines out. What is in force now the controller tries (HED0007). */
import type { Files } from "../../runtime/contract.ts";
import { savedRulesets, shutPorts } from "../systemd/saved_ruleset.ts";
import { ok, warn, type Finding } from "./finding.ts";
import type { Settings } from "./settings.ts";

type Host = Pick<Files, "read" | "list">;

export async function checkFirewall(files: Host, settings: Settings): Promise<Finding[]> {
  const ports = portsForOthers(settings);
  const enabled = await enabledUnits(files);
  const findings: Finding[] = [];
  for (const { path, kind, unit } of savedRulesets.filter((each) => enabled.has(each.unit))) {
    const bytes = await files.read(path).catch(() => null);
    if (bytes === null) continue;
    const shut = shutPorts(kind, new TextDecoder().decode(bytes), ports);
    findings.push(
      shut.length === 0
        ? ok(
            "HED0020",
            "firewall",
            `${path}, which ${unit} loads at boot, shuts out nobody from ${ports.join(", ")}`,
          )
        : warn(
            "HED0020",
            "firewall",
            `${path}, which ${unit} loads at boot, lets nobody in to ${shut.join(", ")}`,
            `Let the machines of the mesh in there, by TCP: ${kind === "nft" ? `tcp dport { ${shut.join(", ")} } accept` : `-A INPUT -p tcp -m multiport --dports ${shut.join(",")} -j ACCEPT`}`,
          ),
    );
  }
  return findings;
}

function portsForOthers({ modes, ports, controllers, registries }: Settings): number[] {
  return [
    ...(modes.includes("controller") ? [controllers[0].port] : []),
    ...(modes.includes("registry") ? [registries[0].port] : []),
    ports.inbound,
  ];
}

/** By the links that `systemctl enable` makes. */
async function enabledUnits(files: Host): Promise<ReadonlySet<string>> {
  const folders = ["sysinit", "basic", "multi-user", "network-pre"].flatMap((target) =>
    ["wants", "requires"].map((kind) => `/etc/systemd/system/${target}.target.${kind}`),
  );
  const lists = await Promise.all(folders.map((folder) => files.list(folder).catch(() => [])));
  return new Set(lists.flat());
}
