/** An opaque connection from another proxy: identity and access first, then the local app. */
import type { Socket, SocketHandler } from "../../runtime/contract.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { serviceKey } from "../model/service.ts";
import { checkAccess, type InboundContext } from "./inbound.ts";
import type { OutboundContext } from "./outbound.ts";
import { TcpPipe } from "./tcp.ts";
import { tcpRecord } from "./tcp_record.ts";

export function serveTcpInbound(
  context: InboundContext & Pick<OutboundContext, "stateOptions">,
  key: string,
  socket: Socket,
  opened: (pipe: TcpPipe) => void,
): SocketHandler {
  const { shard, recorder } = context;
  const state = context.state();
  const record = tcpRecord("inbound", shard.clock.now());
  record.service = key;
  record.sourceId = socket.tls?.peer?.uris[0] ?? "";
  const principal = principalOf(record.sourceId, state?.snapshot.trustDomain ?? "");
  record.source = principal?.kind === "service" ? serviceKey(principal.service) : "";
  let over = false;
  const finish = (outcome: Outcome | null): void => {
    if (over) return;
    over = true;
    record.outcome = outcome;
    recorder.finish(record, shard.clock.now());
  };
  const refuse = (outcome: Outcome): SocketHandler => {
    finish(outcome);
    socket.reset();
    return silent;
  };
  const local = state?.locals.get(key);
  if (local === undefined)
    return refuse({
      flag: "NC",
      side: "mesh",
      repeat: "yes",
      status: 503,
      detail: `${key} does not run on this machine`,
    });
  record.destinationId = local.local.spiffeId;
  const denied = checkAccess(local, record, "", "");
  if (denied !== null) return refuse(denied);
  socket.pause();
  const { host, port } = local.machine;
  context.stateOptions.net.connect(
    { host, port, timeoutMs: limits.connectLocalMs },
    {
      opened: (app) => {
        if (over) {
          app.destroy();
          return silent;
        }
        const pipe = new TcpPipe(socket, app, (error) => {
          record.bytesIn = pipe.bytesIn;
          record.bytesOut = pipe.bytesOut;
          finish(
            error === null
              ? null
              : { flag: "UR", side: "upstream", repeat: "no", status: 502, detail: error.message },
          );
        });
        socket.handler = pipe.left;
        opened(pipe);
        socket.resume();
        return pipe.right;
      },
      failed: (error) => {
        if (!over)
          refuse({
            flag: "UF",
            side: "upstream",
            repeat: "yes",
            status: 503,
            detail: `could not connect to the app of ${key}: ${error.message}`,
          });
      },
    },
  );
  const gone: Outcome = {
    flag: "DC",
    side: "downstream",
    repeat: "no",
    status: 499,
    detail: "the caller left before the app was connected",
  };
  return { data() {}, drain() {}, end() {}, close: () => finish(gone) };
}

const silent: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };
