/**
 * Connections of intercepted units to what is not in the mesh: passed on as they are, byte by byte, and counted by where they go; or
 * refused, where the mesh says that nothing undeclared may leave it.
 */
import type { Dial, OriginalDestination, Socket, SocketHandler } from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { outcomes } from "./failure/outcomes.ts";
import type { CallRecord } from "./record/call_record.ts";
import { connectionRecord } from "./record/outbound_record.ts";
import type { OutboundSource } from "./state/outbound_source.ts";
import { DownstreamSocket } from "./tunnel/downstream.ts";
import { Pipe } from "./tunnel/pipe.ts";
import { SocketEnd } from "./tunnel/socket_end.ts";
import { dialOutcome } from "./upstream/dial_outcome.ts";

/** What records call everything outside of the mesh: no key of a service, which has a dot. */
const outside = "external";

export function passThrough(
  socket: Socket,
  called: OriginalDestination,
  source: OutboundSource,
): SocketHandler {
  return new PassThrough(socket, called, source).begin();
}

class PassThrough {
  readonly #record: CallRecord;
  readonly #downstream: DownstreamSocket;
  #dial: Dial | null = null;

  constructor(
    socket: Socket,
    readonly called: OriginalDestination,
    readonly source: OutboundSource,
  ) {
    const client = socketAddress(socket.remoteAddress, socket.remotePort);
    this.#downstream = new DownstreamSocket(socket, client);
    this.#record = connectionRecord(source, outside, null);
    this.#record.endpoint = socketAddress(called.host, called.port);
  }

  begin(): SocketHandler {
    const { net, recorder, state } = this.source.parts;
    const { host, port } = this.called;
    const downstream = this.#downstream;
    recorder.began(this.#record);
    const { egress = "open" } = state?.snapshot ?? {};
    recorder.outside(this.#record.source, this.#record.endpoint, egress === "open" ? "passed" : "refused");
    if (egress === "declared") {
      downstream.refuse();
      this.#over(outcomes.undeclared(this.#record.endpoint), 0, 0);
      return downstream;
    }
    downstream.left = (outcome) => {
      this.#dial?.cancel();
      this.#over(outcome, 0, 0);
    };
    this.#dial = net.connect(
      { host, port, timeoutMs: limits.passThroughConnectMs },
      {
        opened: (upstream) => this.#open(upstream),
        failed: (error) => {
          const outcome = dialOutcome(this.#record.endpoint, error);
          downstream.refuse();
          this.#over(outcome, 0, 0);
        },
      },
    );
    return downstream;
  }

  #open(socket: Socket): SocketHandler {
    const { shard, open, recorder } = this.source.parts;
    this.#record.firstByteMs = shard.clock.now();
    const upstream = new SocketEnd(socket, "upstream");
    const pipe = new Pipe(this.#downstream.join(), upstream, {
      shard,
      ended: (ended, broken) => {
        open.delete(ended);
        this.#over(broken, ended.downstream.bytes, ended.upstream.bytes);
      },
      onLimit: (limit) => recorder.limitTripped(limit, `outbound ${this.source.key}`),
    });
    if (!pipe.over) open.add(pipe, null);
    return upstream;
  }

  #over(outcome: Outcome | null, bytesIn: number, bytesOut: number): void {
    const { recorder, shard } = this.source.parts;
    const record = this.#record;
    record.outcome = outcome;
    record.bytesIn = bytesIn;
    record.bytesOut = bytesOut;
    recorder.finish(record, shard.clock.now());
  }
}
