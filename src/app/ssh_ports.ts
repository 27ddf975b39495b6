/** The ports by which people log in to this machine: no rule ever touches them. */
import type { Runtime } from "../../runtime/contract.ts";
import { listeningUnits } from "../systemd/unit_facts.ts";
import { tryCommand } from "../systemd/commands.ts";
import { listeningSockets } from "../systemd/listening_sockets.ts";

const usualPort = 22;
const units = /^sshd?(?:@.*)?\.service$/;

/** As sshd is configured, and as it listens: either may have changed since the other. */
export async function sshPorts({
  files,
  process,
}: Pick<Runtime, "files" | "process">): Promise<readonly number[]> {
  const listening = await listeningUnits(process, files, await listeningSockets(files));
  const held = listening.filter(({ unit }) => units.test(unit)).map(({ port }) => port);
  const configured = await tryCommand(process, ["sshd", "-T"]).catch(() => null);
  const said = [...(configured?.output ?? "").matchAll(/^port (\d+)$/gm)].map(([, port]) => Number(port));
  return [...new Set([usualPort, ...held, ...said])].sort((one, other) => one - other);
}
