/** The apps of this machine: whether each one listens where its document says, for whom, and what its probe says. */
import type { Runtime } from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import type { MachineDocument, MachineService } from "../model/document.ts";
import { serviceKey } from "../model/service.ts";
import { fail, ok, warn, type Finding } from "./finding.ts";
import { listeningSockets, type ListeningSocket } from "../systemd/listening_sockets.ts";
import type { AppHealth } from "./proxy_page.ts";
import type { StateFolder } from "./state_folder.ts";

export async function checkApps(
  runtime: Runtime,
  machine: MachineDocument,
  { machine: file }: Pick<StateFolder, "machine">,
  health: readonly AppHealth[],
): Promise<Finding[]> {
  const listening = await listeningSockets(runtime.files);
  return machine.services.map((each) => {
    const probed = health.find(
      ({ service, port }) => service === serviceKey(each.service) && port === each.port,
    );
    return checkApp(each, listening, file, probed ?? null);
  });
}

function checkApp(
  { service, host, port, health }: MachineService,
  listening: readonly ListeningSocket[],
  file: string,
  probed: AppHealth | null,
): Finding {
  const title = `app of ${serviceKey(service)}`;
  const wanted = socketAddress(host, port);
  const onPort = listening.filter((socket) => socket.port === port);
  const own = onPort.filter(({ address }) => accepts(address, host));
  if (onPort.length === 0)
    return fail(
      "HED0009",
      title,
      `nothing listens on port ${port}`,
      `Start the app, or mend its port in ${file} and start the proxy again`,
    );
  if (own.length === 0) {
    const found = [...new Set(onPort.map((socket) => socketAddress(socket.address, port)))].slice(
      0,
      shownMax,
    );
    const cure = `Let the app listen on ${host}, or say where it listens: host in ${file}, --host of heddle join; then start the proxy again`;
    return fail("HED0009", title, `nothing listens on ${wanted}, only on ${found.join(", ")}`, cure);
  }
  if (probed !== null && probed.problem !== null)
    return fail("HED0009", title, `is not ready: ${probed.problem}`, healthCure(health?.http ?? null, file));
  const outside = own.find((socket) => !socket.loopback);
  if (outside === undefined) return ok("HED0009", title, `listens on ${wanted}`);
  const shown = socketAddress(outside.address, port);
  return warn(
    "HED0009",
    title,
    `listens on ${shown}, so it can be called without mTLS and Access rules`,
    `Let the app listen on ${host} alone`,
  );
}

/** The first of many. */
const shownMax = 3;

function healthCure(path: string | null, file: string): string {
  return path === null
    ? `The app's own log says why; health in its Service document or in ${file} says what is asked`
    : `curl the app's ${path} and see; where another path answers 2xx, mend health.http in its Service document, or in ${file} and start the proxy again`;
}

/** Whether one that listens there is reached at this address. */
function accepts(address: string, host: string): boolean {
  if (address === host || address === "0.0.0.0" || address === "::") return true;
  // A name, and what the table of IPv6 does not show in full, can mean either.
  return address === "IPv6" || !/^[\d.]+$|:/.test(host);
}
