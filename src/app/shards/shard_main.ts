/** `heddle proxy-shard`, which proxies start: waits for what its keeper hands over and says, and ends with it. */
import type { Runtime } from "../../../runtime/contract.ts";
import type { AcceptGate } from "../../shards/accept_gate.ts";
import { HandedPorts } from "../../shards/handed_ports.ts";
import { forbidDumps } from "../no_dumps.ts";
import { endOnSignal } from "./ends_on_signal.ts";
import { endWithKeeper } from "./end_with_keeper.ts";
import type { FromShard, ToShard } from "./messages.ts";
import { TrafficShard } from "./shard.ts";
import { ShardChannel } from "./shard_channel.ts";

export function runShard(runtime: Runtime): void {
  const { process, net, ports, clock, native } = runtime;
  forbidDumps(native);
  endWithKeeper(native);
  // Signals for the proxy may reach all of its processes; its keeper says what comes of them.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.onSignal(signal, () => {});
  endOnSignal(process, clock);
  const gate: { current: AcceptGate | null } = { current: null };
  const handed = new HandedPorts({ net, ports, accepted: () => gate.current?.accepted() });
  let shard: TrafficShard | null = null;
  const link = new ShardChannel<ToShard, FromShard>((handler) => process.channel(handler), clock, {
    message: (message) => {
      if (message.kind === "port") {
        handed.handed(message.host, message.port, process.handed());
        link.send({ kind: "took" });
      } else if (message.kind === "shut") {
        handed.shut(message.host, message.port, message.last);
        link.send({ kind: "shut", number: message.number });
      } else if (message.kind === "begin")
        shard = new TrafficShard({ runtime, ports: handed, link, gate }, message);
      else shard?.take(message);
    },
    gone: () => process.exit(0),
  });
}
