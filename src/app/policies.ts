/** The policies of one proxy: bundles on disk by hash, the sealed host that runs them, and the chain the pipeline asks. */
import type { Runtime } from "../../runtime/contract.ts";
import type { Shard } from "../http/shard.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { PolicyChain } from "../policy/chain.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { StateFolder } from "./state_folder.ts";

export interface Policies {
  readonly chain: PolicyChain;
  /** Has every bundle that the snapshot names, or throws. */
  prepare(snapshot: Snapshot, fetch: (hash: string) => Promise<Uint8Array>): Promise<void>;
  /** What is on disk of them; what is missing fails as its policy says. */
  prepareFromDisk(snapshot: Snapshot): Promise<void>;
  ready(): boolean;
  close(): void;
}

export function startPolicies(
  _runtime: Runtime,
  _folder: StateFolder,
  _shard: Shard,
  _metrics: Metrics,
  _log: (text: string) => void,
): Policies {
  return {
    chain: {
      evaluate: (_bindings, _call, done) =>
        done({
          do: "error",
          outcome: { flag: "PE", side: "policy", repeat: "no", status: 503, detail: "no policy host" },
          records: [],
        }),
    },
    prepare: async () => {},
    prepareFromDisk: async () => {},
    ready: () => true,
    close: () => {},
  };
}
