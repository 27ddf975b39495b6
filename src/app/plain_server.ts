/** HTTP in clear text on loopback: admin pages and the demo's services, by the same drivers as everything else. */
import type { Runtime } from "../../runtime/contract.ts";
import { BodyRoom } from "../api/body_room.ts";
import { serveControl, type ControlServer } from "../api/control_server.ts";
import { strangerBounds, Strangers } from "../http/strangers.ts";
import { Shard } from "../http/shard.ts";

export function servePlain(
  runtime: Pick<Runtime, "net" | "clock">,
  listen: { readonly host: string; readonly port: number },
  handler: (request: Request) => Response | Promise<Response>,
  strangers: Strangers | null = new Strangers({ clock: runtime.clock, bounds: strangerBounds.control }),
): ControlServer {
  const { net, clock } = runtime;
  return serveControl({
    net,
    clock,
    shard: new Shard(clock),
    listen,
    identity: null,
    peer: "optional",
    strangers,
    bodies: new BodyRoom(),
    handler,
  });
}
