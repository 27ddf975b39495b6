/** A connection that is passed on as it is, byte by byte, with its record; whoever makes it says where to, and whether it may pass. */
import type { Dial, Socket, SocketHandler } from "../../runtime/contract.ts";
import { addressText, socketAddress, type Address } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { CallRecord } from "./record/call_record.ts";
import { connectionRecord } from "./record/outbound_record.ts";
import type { OutboundSource } from "./state/outbound_source.ts";
import { DownstreamSocket } from "./tunnel/downstream.ts";
import { Pipe } from "./tunnel/pipe.ts";
import { SocketEnd } from "./tunnel/socket_end.ts";
import { dialOutcome } from "./upstream/dial_outcome.ts";

export interface Passing {
  readonly to: Address;
  /** What records call where it goes: no key of a service, which has a dot. */
  readonly as: string;
  /** For records; absent: the address. */
  readonly endpoint?: string;
  readonly began?: () => void;
  readonly over?: () => void;
}

export class PassedConnection {
  readonly record: CallRecord;
  readonly #downstream: DownstreamSocket;
  #dial: Dial | null = null;

  constructor(
    socket: Socket,
    readonly source: OutboundSource,
    readonly passing: Passing,
  ) {
    const client = socketAddress(socket.remoteAddress, socket.remotePort);
    this.#downstream = new DownstreamSocket(socket, client);
    this.record = connectionRecord(source, passing.as, null);
    this.record.endpoint = passing.endpoint ?? addressText(passing.to);
  }

  /** `refusal`: why it may not pass; null: it may. */
  begin(refusal: Outcome | null): SocketHandler {
    const { net, recorder } = this.source.parts;
    const downstream = this.#downstream;
    recorder.began(this.record);
    this.passing.began?.();
    if (refusal !== null) {
      downstream.refuse();
      this.#over(refusal, 0, 0);
      return downstream;
    }
    downstream.left = (outcome) => {
      this.#dial?.cancel();
      this.#over(outcome, 0, 0);
    };
    this.#dial = net.connect(
      { ...this.passing.to, timeoutMs: limits.passThroughConnectMs },
      {
        opened: (upstream) => this.#open(upstream),
        failed: (error) => {
          downstream.refuse();
          this.#over(dialOutcome(this.record.endpoint, error), 0, 0);
        },
      },
    );
    return downstream;
  }

  #open(socket: Socket): SocketHandler {
    const { shard, open, recorder } = this.source.parts;
    this.record.firstByteMs = shard.clock.now();
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
    const { record } = this;
    record.outcome = outcome;
    record.bytesIn = bytesIn;
    record.bytesOut = bytesOut;
    this.passing.over?.();
    recorder.finish(record, shard.clock.now());
  }
}
