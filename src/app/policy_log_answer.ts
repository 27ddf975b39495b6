/** The question `policy-log`: what a policy logs here, whichever version of it, and each of its failures. */
import type { Clock } from "../../runtime/contract.ts";
import type { PolicyLogLine } from "../model/recording.ts";
import { serviceKey } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { HeldChain } from "../policy/chain.ts";
import type { PolicyCall } from "../policy/policy_call.ts";
import type { Answering } from "./answers.ts";

/** As much of a hash as tells versions apart. */
const shownHash = 8;

export function policyLogAnswering(
  chain: Pick<HeldChain, "listen">,
  clock: Pick<Clock, "wallMs">,
): Answering<"policy-log"> {
  return ({ name }, reply) => {
    const line = ({ hash }: PolicyBinding, call: PolicyCall, level: string, message: string): void => {
      const { requestId, service } = call;
      const bundle = hash.slice(0, shownHash);
      const told = { atMs: clock.wallMs(), requestId, service: serviceKey(service), bundle, level, message };
      reply.line(told satisfies PolicyLogLine);
    };
    return chain.listen({
      request() {},
      asked(binding, call, said) {
        if (binding.name !== name || said.do !== "failed") return;
        line(binding, call, "error", `fails at ${call.hook} (${said.failure}): ${said.reason}`);
      },
      noted(binding, call, notes) {
        if (binding.name !== name) return;
        for (const note of notes)
          if (note.what === "log")
            line(binding, call, note.level, `${note.message}${note.fields === "" ? "" : ` ${note.fields}`}`);
      },
    });
  };
}
