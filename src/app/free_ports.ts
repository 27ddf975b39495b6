/** Looks whether the ports of the first machine can be had before anything is written. Its modes have the last word. */
import type { Net } from "../../runtime/contract.ts";
import { adminPort, bindHost, type Settings } from "./settings.ts";

/** Throws the `ListenError` of the first one that is taken. */
export function requireFreePorts(net: Net, settings: Settings): void {
  const { controller, registry, ports, loopback, modes } = settings;
  const shared = [controller.port, registry.port, ports.inbound].map((port) => ({
    host: bindHost(settings),
    port,
  }));
  const local = modes.map((mode) => ({ host: loopback, port: adminPort(settings, mode) }));
  for (const address of [...shared, ...local]) {
    const listener = net.listen(address, (socket) => {
      socket.destroy();
      return { data() {}, drain() {}, end() {}, close() {} };
    });
    listener.close();
  }
}
