/** What the pipelines of one shard share. */
import type { Net, Random } from "../../../runtime/contract.ts";
import type { Shard } from "../../http/shard.ts";
import type { ServiceName } from "../../model/service.ts";
import type { PolicyChain } from "../../policy/chain.ts";
import type { AskService } from "../../policy/service_call.ts";
import type { Recorder } from "../../telemetry/record.ts";
import type { Tracing } from "../trace/tracer.ts";
import type { Credentials } from "./credentials.ts";
import type { Discovery } from "../find/discovery.ts";
import type { RequestIds } from "../fields/request_id.ts";
import type { Budgets } from "../budget/budgets.ts";
import type { OpenConnections } from "../drain/open_connections.ts";
import type { Shedder } from "../limit/shedder.ts";
import type { ProxyState } from "./state.ts";
import type { Sites } from "../upstream/sites.ts";

/** Copies of requests that are gathered or under way. */
export interface MirrorRoom {
  taken: number;
}

export interface ProxyParts {
  readonly net: Net;
  readonly random: Random;
  readonly shard: Shard;
  readonly recorder: Recorder;
  readonly tracer: Tracing;
  readonly credentials: Credentials;
  readonly policies: PolicyChain;
  /** How policies ask services as this one (null: as nobody, which is refused), about a request with that id. */
  readonly calls: (as: ServiceName | null, requestId: string) => AskService;
  readonly ids: RequestIds;
  readonly discovery: Discovery;
  readonly open: OpenConnections;
  /** Ways to machines of other networks. */
  readonly sites: Sites;
  /** Refuses what matters least while this process cannot keep up. */
  readonly shedder: Shedder;
  readonly mirrors: MirrorRoom;
  /** Lists of models that are being gathered. */
  readonly modelLists: { taken: number };
  /** Of tokens, that calls of all proxies spend. */
  readonly budgets: Budgets;
  readonly log: (text: string) => void;
  /** null until the first snapshot. Replaced as a whole: read it once per exchange or connection. */
  state: ProxyState | null;
}
