/** The work of the sealed compiler: one push, told step by step. */
import type { Bundler } from "../../runtime/contract.ts";
import { bundlePolicies } from "./bundle.ts";
import type { PolicySource } from "./policy_source.ts";
import { frameKinds, type FrameChannel } from "./protocol.ts";

export async function compilePush(
  text: string,
  bundler: Bundler,
  channel: Pick<FrameChannel, "send" | "flush">,
): Promise<void> {
  const sources = JSON.parse(text) as readonly PolicySource[];
  const { scripts, issues } = await bundlePolicies(sources, bundler, (index) => {
    channel.send(frameKinds.compiling, index, 0, "");
    channel.flush();
  });
  scripts.forEach((script, index) => channel.send(frameKinds.compiled, index, 0, JSON.stringify(script)));
  channel.send(frameKinds.compiledAll, scripts.length, 0, JSON.stringify(issues));
}
