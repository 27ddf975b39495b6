/** Connects back to a machine, so that a firewall in between is found at once and not by the first failed request. */
import { socketAddress } from "../../base/socket_address.ts";
import type { Net } from "../../../runtime/contract.ts";
import type { ReachAnswer } from "../../api/messages.ts";
import { limits } from "../../model/limits.ts";

export function reachMachine(net: Net, address: string, port: number): Promise<ReachAnswer> {
  return new Promise((resolve) => {
    net.connect(
      { host: address, port, timeoutMs: limits.connectMeshMs },
      {
        opened: (socket) => {
          socket.destroy();
          resolve({
            ok: true,
            cause: null,
            detail: `the controller reached ${socketAddress(address, port)}`,
          });
          return { data() {}, drain() {}, end() {}, close() {} };
        },
        failed: (error) => {
          const why =
            error.kind === "refused"
              ? "nothing listens there yet"
              : error.kind === "timeout"
                ? "no answer: a firewall is in between, or the address is wrong"
                : error.message;
          resolve({
            ok: false,
            cause: error.kind,
            detail: `the controller could not reach ${socketAddress(address, port)}: ${why}`,
          });
        },
      },
    );
  });
}
