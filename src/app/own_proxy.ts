/** Whether the proxy of this machine runs already: its own admin page says whose it is. */
import type { Runtime } from "../../runtime/contract.ts";
import { plainGet } from "./plain_get.ts";
import { adminPort, type Settings } from "./settings.ts";

export async function proxyRuns(
  runtime: Pick<Runtime, "net" | "clock">,
  settings: Settings,
): Promise<boolean> {
  try {
    const answer = await plainGet(runtime, settings.loopback, adminPort(settings, "proxy"), "/config");
    const { settings: its, ending } = JSON.parse(answer.text) as {
      settings?: Partial<Settings>;
      ending?: boolean;
    };
    return ending !== true && its?.node === settings.node && its.trustDomain === settings.trustDomain;
  } catch {
    return false;
  }
}
