/**
 * The policy host: a child process of the proxy that runs the policies of one name and may do nothing else. `heddle policy-host` locks
 * itself and starts anew; that second life opens its channel, closes the seal and only then takes policies. A host that
 * cannot be sealed says so and runs: whether that is good enough is the proxy's decision.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { HostedPolicy } from "./hosted_policy.ts";
import { FrameChannel, frameKinds, type LoadText, type ReadyText } from "./protocol.ts";
import { closeSeal, restartLocked, type Role } from "./seal.ts";
import { SpareWorker } from "./spare_worker.ts";
import { ThreadClock } from "./thread_clock.ts";

/** Second argument of the second life. */
const locked = "locked";

/** Roles: `host` (default), `bundler`. */
export function runPolicyHost(runtime: Runtime, args: readonly string[]): void {
  const role: Role = args[0] === "bundler" ? "bundler" : "host";
  if (args[1] === locked) return serve(runtime, role, () => closeSeal(runtime, role));
  // When memory runs out the kernel ends this process before others.
  void runtime.files.append("/proc/self/oom_score_adj", "1000").catch(() => {});
  const why = restartLocked(runtime, ["policy-host", role, locked]);
  serve(runtime, role, () => why);
}

/**
 * The channel is opened before the seal closes, because opening it takes calls that are denied afterwards. A first worker is
 * started before it too, to save the time, and is told nothing before the seal is closed.
 */
function serve(runtime: Runtime, role: Role, seal: () => string | null): void {
  const policies = new Map<number, HostedPolicy>();
  const workers = role === "host" ? new SpareWorker(runtime.workers) : null;
  const threads = new ThreadClock(runtime.native);
  let watching = false;

  const watch = (): void => {
    let busy = false;
    for (const policy of policies.values()) busy = policy.watch() || busy;
    watching = busy;
    if (busy) runtime.clock.after(limits.policyWatchdogMs, watch);
  };
  const startWatching = (): void => {
    if (watching) return;
    watching = true;
    runtime.clock.after(limits.policyWatchdogMs, watch);
  };

  const load = (id: number, text: string): void => {
    if (workers === null) return;
    policies.get(id)?.end();
    const { clock } = runtime;
    const worker = workers.take.bind(workers);
    policies.set(
      id,
      new HostedPolicy({ id, load: JSON.parse(text) as LoadText, worker, clock, threads, send }),
    );
  };

  const channel = new FrameChannel((handler) => runtime.process.channel(handler), runtime.clock, {
    frame(kind, id, number, text) {
      startWatching();
      switch (kind) {
        case frameKinds.load:
          return load(id, text);
        case frameKinds.unload:
          policies.get(id)?.end();
          policies.delete(id);
          return;
        case frameKinds.bind:
          return policies.get(id)?.bind(number, text);
        case frameKinds.unbind:
          return policies.get(id)?.unbind(number);
        case frameKinds.calls:
          return policies.get(id)?.calls(number, text);
        case frameKinds.bundle:
          if (role === "bundler") void compile(text);
      }
    },
    gone: () => runtime.process.exit(0),
  });
  const send = channel.send.bind(channel);
  /** Loaded here alone: a host of policies has no use for parsers. */
  const compile = async (text: string): Promise<void> => {
    const { compilePush } = await import("./compiler_main.ts");
    await compilePush(text, runtime.bundler, channel);
  };
  const why = seal();
  const ready: ReadyText = { sealed: why === null, why };
  send(frameKinds.ready, 0, 0, JSON.stringify(ready));
}
