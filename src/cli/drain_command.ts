/** `heddle drain` and `heddle undrain`: an instance or a machine out of the mesh for a while, without a failed request, and back. */
import type { Command } from "commander";
import { controllerPaths, type DrainAnswer, type DrainRequest } from "../api/messages.ts";
import { isEmpty, leftOf, type Left } from "../app/drain.ts";
import { openOperator } from "../app/operator.ts";
import { humanDuration } from "../base/duration.ts";
import { someOf } from "../base/some_of.ts";
import { UserError } from "../base/user_error.ts";
import { isName } from "../identity/spiffe_id.ts";
import { limits } from "../model/limits.ts";
import { type DrainPlace } from "../model/service.ts";
import { parseDurationFlag, parseServiceName, type Cli } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";

interface DrainFlags {
  readonly wait: boolean;
  readonly timeout?: number;
}

const what = "web@vm-2: what that machine runs of a service; vm-2: all that it runs";

export function registerDrain(program: Command, cli: Cli): void {
  const command = program
    .command("drain")
    .description(
      "take an instance or a machine out: it gets nothing new, and what is under way there finishes",
    )
    .argument("<what>", what)
    .option("--wait", "until nothing is under way there any more", false)
    .option(
      "--timeout <duration>",
      `how long to wait at most (default: ${humanDuration(limits.drainWaitMs)})`,
      parseDurationFlag("--timeout"),
    )
    .action(async (text: string, flags: DrainFlags) => {
      const place = placeOf(text);
      const terminal = cli.terminal(command);
      const operator = await openOperator(cli.runtime, cli.folder(command));
      try {
        const body: DrainRequest = { ...place, drained: true };
        const { change, instances } = (await operator.call("POST", controllerPaths.drains, body))
          .body as DrainAnswer;
        const isText = terminal.format === "text";
        if (isText)
          terminal.line(
            `${text} is ${change === "changed" ? "drained" : "drained already"}: ${aboutOf(instances)}`,
          );
        const waiting = { cli, place, timeoutMs: flags.wait ? (flags.timeout ?? limits.drainWaitMs) : null };
        const left = await untilEmpty(operator, waiting, isText ? (said) => terminal.line(said) : () => {});
        const done = isEmpty(left);
        if (!isText) terminal.json({ drained: text, change, instances, left, empty: done });
        if (!flags.wait || done) return;
        throw new UserError(
          `${text} is not empty after ${humanDuration(waiting.timeoutMs ?? 0)}: ${leftText(left)}`,
          `It stays drained; heddle drain ${text} --wait waits on, heddle undrain ${text} brings it back`,
          exitCodes.no,
        );
      } finally {
        operator.close();
      }
    });
}

export function registerUndrain(program: Command, cli: Cli): void {
  const command = program
    .command("undrain")
    .description("bring back what was drained")
    .argument("<what>", what)
    .action(async (text: string) => {
      const place = placeOf(text);
      const terminal = cli.terminal(command);
      const operator = await openOperator(cli.runtime, cli.folder(command));
      const body: DrainRequest = { ...place, drained: false };
      const { change, instances } = (await operator.call("POST", controllerPaths.drains, body))
        .body as DrainAnswer;
      operator.close();
      if (terminal.format === "json") return terminal.json({ undrained: text, change, instances });
      terminal.line(
        change === "changed" ? `${text} is back: ${aboutOf(instances)}` : `${text} was not drained`,
      );
    });
}

interface Waiting {
  readonly cli: Cli;
  readonly place: DrainPlace;
  /** null: one look. */
  readonly timeoutMs: number | null;
}

/** Says what is left whenever that is something else. */
async function untilEmpty(
  operator: Parameters<typeof leftOf>[0],
  { cli, place, timeoutMs }: Waiting,
  said: (text: string) => void,
): Promise<Left> {
  const { clock } = cli.runtime;
  const endMs = clock.now() + (timeoutMs ?? 0);
  let told = "";
  for (let empty = 0; ;) {
    const left = await leftOf(operator, place);
    const text = leftText(left);
    empty = isEmpty(left) ? empty + 1 : 0;
    const done = empty >= limits.drainEmptyLooks;
    // What a call that was on its way brings is seen by the next look.
    if (text !== told && (empty === 0 || done || timeoutMs === null)) said((told = text));
    if (done || timeoutMs === null || clock.now() >= endMs) return left;
    await new Promise<void>((next) => void clock.after(limits.drainLeftLookMs, next));
  }
}

/** `web@vm-2` or `vm-2`. */
function placeOf(text: string): DrainPlace {
  const [service, node, ...more] = text.includes("@") ? text.split("@") : [null, text];
  if (!isName(node ?? "") || more.length > 0)
    throw new UserError(
      `Cannot use "${text}": expected SERVICE@MACHINE such as web@vm-2, or the name of a machine`,
      "heddle status shows machines and what they run",
    );
  const named = service == null ? null : parseServiceName(service, "the service");
  return { node: node as string, service: named };
}

function aboutOf(instances: readonly string[]): string {
  return instances.length === 0 ? "nothing of it is registered now" : someOf(instances);
}

function leftText(left: Left): string {
  const { behind, away, exchanges, streams, connections, problem, place } = left;
  const [machine = place] = place.split("/");
  const parts = [
    behind.length === 0 ? null : `${someOf(behind)} still may call it`,
    problem === null ? null : `what is under way on ${machine} cannot be told: ${problem}`,
    exchanges === 0
      ? null
      : `${exchanges} ${exchanges === 1 ? "request" : "requests"} under way${streamsText(streams)}`,
    connections === 0 ? null : `${connections} opaque ${connections === 1 ? "connection" : "connections"}`,
  ].filter((part) => part !== null);
  const now = parts.length === 0 ? "nothing is under way there" : parts.join(", ");
  return away.length === 0 ? now : `${now}; ${someOf(away)} cannot be told while away, and may call it`;
}

function streamsText(streams: number): string {
  return streams === 0 ? "" : `, ${streams} of them ${streams === 1 ? "a stream" : "streams"}`;
}
