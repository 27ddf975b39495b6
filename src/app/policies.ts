/** The policies of one proxy: bundles on disk by hash, the sealed host that runs them, and the chain the pipeline asks. */
import { createHash } from "node:crypto";
import type { Clock, Runtime } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { bindingsIn, type PolicyBinding, type PolicyRef, type Snapshot } from "../model/snapshot.ts";
import { createPolicyChain, type HeldChain } from "../policy/chain.ts";
import {
  createPolicyHost,
  type PolicyHost,
  type PolicyHostStatus,
  type PolicyStatus,
} from "../policy/policy_host.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { policyNotes } from "../telemetry/policy_notes.ts";
import { policyCpu } from "../telemetry/policy_telemetry.ts";
import type { StateFolder } from "./state_folder.ts";
import { families } from "../telemetry/families.ts";

export interface Policies {
  readonly chain: HeldChain;
  /** For other event loops of this proxy. */
  readonly host: Pick<PolicyHost, "evaluate" | "trip">;
  /** Has every bundle that the snapshot names, or throws. */
  prepare(snapshot: Snapshot, fetch: (hash: string) => Promise<Uint8Array>): Promise<void>;
  /** What is on disk of them; what is missing fails as its policy says. */
  prepareFromDisk(snapshot: Snapshot): Promise<void>;
  /** It serves: what only the snapshot before it needed of policies goes, once no request is under way with it. */
  applied(snapshot: Snapshot): void;
  ready(): boolean;
  status(): PolicyHostStatus;
  close(): void;
}

type FindBundle = (ref: PolicyRef) => Promise<string | null>;

export function startPolicies(
  runtime: Runtime,
  folder: StateFolder,
  metrics: Metrics,
  log: (text: string) => void,
  /** Name of this machine. */
  node: string,
  /** What streams of other event loops will ask again. */
  heldElsewhere: () => readonly PolicyBinding[] = () => [],
): Policies {
  const { process, clock, random } = runtime;
  const host = createPolicyHost({ process, clock, random, report: log, cpuCounter: policyCpu(metrics) });
  const store = new BundleStore(runtime, folder);
  exposeHost(metrics, host);
  const chain = createPolicyChain(host, clock, policyNotes(metrics, clock, log), node);
  /** Streams keep the versions that saw their request. */
  const held = (): PolicyBinding[] => [...chain.held.keys(), ...heldElsewhere()];
  const heldHashes = (): string[] => held().map(({ hash }) => hash);

  let serving: Snapshot["policies"] = [];
  const load = async (snapshot: Snapshot, find: FindBundle): Promise<void> => {
    host.takeUnsealed(snapshot.unsealedPolicies !== "refuse");
    for (const ref of snapshot.policies) {
      if (host.refOf(ref.hash) !== null) continue;
      const text = await find(ref);
      if (text !== null) host.load(ref, text);
    }
    host.earlier.replaced(inForce(serving), inForce(snapshot.policies), (hash) => host.works(hash));
    // The snapshot before this one still serves until the new one is applied.
    const needed = [...snapshot.policies, ...serving].map(({ hash }) => hash);
    host.retain(new Set([...needed, ...host.earlier.hashes, ...heldHashes()]));
    serving = snapshot.policies;
  };

  return {
    chain,
    host,
    async prepare(snapshot, fetchBundle) {
      await load(snapshot, async (ref) => {
        const known = await store.read(ref.hash);
        if (known !== null) return known;
        return await store.keep(ref, await fetchBundle(ref.hash));
      });
      await loaded(host, clock, snapshot);
    },
    async prepareFromDisk(snapshot) {
      await load(snapshot, async (ref) => {
        const text = await store.read(ref.hash);
        if (text === null) log(`the bundle of policy "${ref.name}" is not on disk: it fails ${ref.onError}`);
        return text;
      });
    },
    applied(snapshot) {
      chain.trials.keep(bindingsIn(snapshot));
      const serves = serving;
      const retire = (): void => {
        if (serving !== serves) return;
        const needed = serves.map(({ hash }) => hash);
        host.retain(new Set([...needed, ...host.earlier.hashes, ...heldHashes()]));
        host.keepBindings([...bindingsIn(snapshot), ...held()]);
        if (held().length > 0) clock.after(limits.policyRetireMs, retire, true);
      };
      clock.after(limits.policyRetireMs, retire, true);
    },
    ready: () => host.status().policies.every((policy) => policy.state !== "waiting"),
    status: () => host.status(),
    close: () => host.close(),
  };
}

/** A version that is tried takes the place of none. */
function inForce(refs: Snapshot["policies"]): Snapshot["policies"] {
  return refs.filter(({ tried }) => tried !== true);
}

/** Until every policy can be asked, or has had its time: a new version must not leave a gap. */
async function loaded(host: PolicyHost, clock: Clock, { policies }: Snapshot): Promise<void> {
  const late = new Promise<void>((resolve) => clock.after(limits.policyReadyMs, resolve, true));
  await Promise.race([late, Promise.all(policies.map((ref) => host.describe(ref.hash)))]);
}

/** Bundles by their hash, which is verified whenever one is taken. */
class BundleStore {
  constructor(
    private readonly runtime: Runtime,
    private readonly folder: StateFolder,
  ) {}

  async read(hash: string): Promise<string | null> {
    const bytes = await this.runtime.files.read(this.#pathOf(hash));
    return bytes === null || hashOf(bytes) !== hash ? null : new TextDecoder().decode(bytes);
  }

  async keep(ref: PolicyRef, bytes: Uint8Array): Promise<string> {
    if (bytes.length > limits.policyBundleBytesMax + limits.policyBundleBytesMax) {
      throw new Error(`the bundle of policy "${ref.name}" has ${bytes.length} bytes`);
    }
    if (hashOf(bytes) !== ref.hash) {
      throw new Error(`the bundle of policy "${ref.name}" is not the one that was meant: its hash differs`);
    }
    await this.runtime.files.makeFolder(this.folder.policies, 0o700);
    await this.runtime.files.writeAtomic(this.#pathOf(ref.hash), bytes, 0o600);
    return new TextDecoder().decode(bytes);
  }

  #pathOf(hash: string): string {
    return `${this.folder.policies}/${hash}.js`;
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function isAside(state: PolicyStatus["state"]): boolean {
  return state === "quarantined" || state === "trial";
}

function exposeHost(metrics: Metrics, host: PolicyHost): void {
  const sealed = metrics.gauge(families.policyHostSealed);
  const starts = metrics.counter(families.policyHostStarts);
  let countedStarts = 0;
  const quarantined = metrics.gauge(families.policiesQuarantined);
  metrics.collect(() => {
    const status = host.status();
    const { processes } = status;
    sealed().set(processes.length > 0 && processes.every((each) => each.sealed === true) ? 1 : 0);
    starts().add(status.starts - countedStarts);
    countedStarts = status.starts;
    quarantined().set(status.policies.filter((policy) => isAside(policy.state)).length);
  });
}
