/** Compiles sources in a sealed process that lives for one answer. */
import { limits } from "../model/limits.ts";
import type { BundleOptions, BundleResult, Clock, ProcessHost } from "../../runtime/contract.ts";
import { policyHostEnvironment } from "./host_environment.ts";
import { FrameChannel, frameKinds, type ReadyText } from "./protocol.ts";

export interface SealedCompilerOptions {
  readonly process: Pick<ProcessHost, "spawn" | "self">;
  readonly clock: Clock;
  /** Told when the process could not be sealed, and why. */
  readonly unsealed: (why: string) => void;
}

export function compileSealed(options: SealedCompilerOptions, bundle: BundleOptions): Promise<BundleResult> {
  const { process, clock } = options;
  return new Promise((resolve) => {
    let said = "";
    const finish = (result: BundleResult): void => {
      timer.cancel();
      channel.destroy();
      child.kill("SIGKILL");
      resolve(result);
    };
    const fail = (message: string): void =>
      finish({ text: null, map: "", problems: [{ file: "", line: 0, column: 0, message }] });
    const child = process.spawn({
      command: [...process.self, "policy-host", "bundler"],
      env: policyHostEnvironment,
      channel: true,
      output: (text) => (said = (said + text).slice(-400)),
      exited: (code, signal) => fail(`The compiler ended with ${signal ?? code}: ${said.trim()}`),
    });
    const channel = new FrameChannel((handler) => child.channel(handler), clock, {
      frame(kind, _first, _second, text) {
        if (kind === frameKinds.bundled) return finish(JSON.parse(text) as BundleResult);
        if (kind !== frameKinds.ready) return;
        const { sealed, why } = JSON.parse(text) as ReadyText;
        if (!sealed) options.unsealed(why ?? "it does not say why");
      },
      gone: (reason) => fail(`The compiler is gone: ${reason}`),
    });
    const timer = clock.after(limits.policyBundleMs, () => {
      fail(`The compiler took longer than ${limits.policyBundleMs} ms`);
    });
    channel.send(frameKinds.bundle, 0, 1, JSON.stringify(bundle));
  });
}
