/**
 * Connections of intercepted units to what is not in the mesh: passed on as they are, byte by byte, and counted by where they go; or
 * refused, where the mesh says that nothing undeclared may leave it, where it is not known yet what it says and the unit is strict, or
 * where its service has too many of them.
 */
import type { Dial, OriginalDestination, Socket, SocketHandler } from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { outcomes } from "./failure/outcomes.ts";
import type { CallRecord } from "./record/call_record.ts";
import { connectionRecord } from "./record/outbound_record.ts";
import { decideAccess } from "./guard/access.ts";
import type { ProxyState } from "./state/state.ts";
import type { OutboundSource } from "./state/outbound_source.ts";
import { DownstreamSocket } from "./tunnel/downstream.ts";
import { Pipe } from "./tunnel/pipe.ts";
import { SocketEnd } from "./tunnel/socket_end.ts";
import { dialOutcome } from "./upstream/dial_outcome.ts";

/** What records call everything outside of the mesh: no key of a service, which has a dot. */
const outside = "external";

/** What holds for a machine's connections of that kind. */
export interface PassingRules {
  /** By key of the calling service, "" for nobody: how many it has. */
  readonly open: Map<string, number>;
  /** Nothing of that service may leave the mesh before it is known what the mesh says. */
  isStrict(service: string): boolean;
}

export function passThrough(
  socket: Socket,
  called: OriginalDestination,
  source: OutboundSource,
  rules: PassingRules,
): SocketHandler {
  return new PassThrough(socket, called, source, rules).begin();
}

/** A document says so of that address and port, and its rules let that service connect. */
function isDeclared(
  state: ProxyState | null,
  source: OutboundSource,
  { host, port }: OriginalDestination,
): boolean {
  if (state === null) return false;
  const { spiffeId = "" } = source.callerIn(state) ?? {};
  for (const { declared } of state.destinations.values()) {
    const { external, externalAccess, endpoints } = declared;
    if (external === undefined || externalAccess === undefined) continue;
    if (!endpoints.some((each) => each.address === host && each.port === port)) continue;
    if (decideAccess(externalAccess, spiffeId, "", "").verdict !== "deny") return true;
  }
  return false;
}

class PassThrough {
  readonly #record: CallRecord;
  readonly #downstream: DownstreamSocket;
  #dial: Dial | null = null;

  constructor(
    socket: Socket,
    readonly called: OriginalDestination,
    readonly source: OutboundSource,
    readonly rules: PassingRules,
  ) {
    const client = socketAddress(socket.remoteAddress, socket.remotePort);
    this.#downstream = new DownstreamSocket(socket, client);
    this.#record = connectionRecord(source, outside, null);
    this.#record.endpoint = socketAddress(called.host, called.port);
  }

  begin(): SocketHandler {
    const { net, recorder } = this.source.parts;
    const { host, port } = this.called;
    const downstream = this.#downstream;
    recorder.began(this.#record);
    const refusal = this.#refusal();
    recorder.outside(this.#record.source, this.#record.endpoint, refusal === null ? "passed" : "refused");
    this.#count(1);
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

  /** null: it may pass. */
  #refusal(): Outcome | null {
    const { state, recorder } = this.source.parts;
    const { key } = this.source;
    const { endpoint } = this.#record;
    if (state === null && this.rules.isStrict(key)) return outcomes.egressUnknown(endpoint);
    const isClosed = state?.snapshot.egress === "declared";
    if (isClosed && !isDeclared(state, this.source, this.called)) return outcomes.undeclared(endpoint);
    if ((this.rules.open.get(key) ?? 0) < limits.passedThroughMax) return null;
    recorder.limitTripped("passedThroughMax", `outbound ${key}`);
    return outcomes.passesTooMany(endpoint);
  }

  #count(more: 1 | -1): void {
    const { open } = this.rules;
    const { key } = this.source;
    const count = (open.get(key) ?? 0) + more;
    if (count > 0) open.set(key, count);
    else open.delete(key);
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
    this.#count(-1);
    recorder.finish(record, shard.clock.now());
  }
}
