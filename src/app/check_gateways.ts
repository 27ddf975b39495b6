/** The gateways of this machine: whether somebody listens at their ports, and how their certificates stand, as the proxy reads them. */
import type { Runtime } from "../../runtime/contract.ts";
import { humanDuration } from "../base/duration.ts";
import { socketAddress } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import type { CertificateState } from "../proxy/listen/gateway_certificates.ts";
import { listeningSockets } from "../systemd/listening_sockets.ts";
import { fail, ok, warn, type Finding } from "./finding.ts";
import { problemOf } from "./gateway_watch.ts";
import type { ProxyPage } from "./proxy_page.ts";

export async function checkGateways(
  { files, clock }: Pick<Runtime, "files" | "clock">,
  { gateways = [] }: Pick<ProxyPage, "gateways">,
): Promise<Finding[]> {
  if (gateways.length === 0) return [];
  const open = new Set((await listeningSockets(files)).map(({ port }) => port));
  return gateways.flatMap(({ gateway, ports, certificates }) => {
    const title = `gateway ${gateway}`;
    const shut = ports.find(({ port }) => !open.has(port));
    const listens =
      shut === undefined
        ? ok("HED0024", title, `listens on ${[...new Set(ports.map(({ port }) => port))].join(", ")}`)
        : fail(
            "HED0024",
            title,
            `nothing listens on ${socketAddress(shut.address, shut.port)}`,
            "The log of the proxy says why: another program has the port, or the proxy may not have it",
          );
    return [listens, ...certificates.map((each) => checkOne(title, each, clock.wallMs()))];
  });
}

function checkOne(title: string, state: CertificateState, nowMs: number): Finding {
  const { certificate, notAfterMs } = state;
  const problem = problemOf(state, nowMs);
  if (problem !== null)
    return fail(
      "HED0024",
      title,
      `${certificate} ${problem}`,
      "Put a certificate and its key there, which the user of the proxy can read: they are taken within seconds",
    );
  const leftMs = (notAfterMs ?? nowMs) - nowMs;
  if (leftMs > limits.gatewayCertificateLeftMs)
    return ok("HED0024", title, `${certificate}, ${humanDuration(leftMs)} left`);
  return warn(
    "HED0024",
    title,
    `${certificate} ends in ${humanDuration(leftMs)}`,
    "Put a newer one in its place",
  );
}
