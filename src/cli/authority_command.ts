/** `heddle ca status`, `heddle ca rotate`: the root of trust, and its replacement step by step. */
import type { Command } from "commander";
import { controllerPaths } from "../api/messages.ts";
import type { AuthorityAnswer } from "../api/authority_messages.ts";
import { ControlRefusal } from "../api/control.ts";
import { openOperator } from "../app/operator.ts";
import { limits } from "../model/limits.ts";
import type { Cli } from "./command.ts";
import type { Terminal } from "./terminal.ts";

export function registerAuthority(program: Command, cli: Cli): void {
  const ca = program.command("ca").description("look at the mesh's root of trust, and replace it");
  const status = ca
    .command("status")
    .description("show which roots are trusted, and how far a rotation is")
    .action(async () => {
      const operator = await openOperator(cli.runtime, cli.folder(status));
      const answer = (await operator.call("GET", controllerPaths.authority)).body as AuthorityAnswer;
      operator.close();
      show(cli.terminal(status), answer);
    });
  const rotate = ca
    .command("rotate")
    .description(
      "take the next step of replacing the root: trust the new one, sign with it, drop the old one",
    )
    .option(
      "--force",
      "go on although machines do not trust the new root yet; they must join again then",
      false,
    )
    .option(
      "--now",
      "take all steps at once: every machine renews now, and the old root is dropped in minutes",
      false,
    )
    .action(async (flags: { force: boolean; now: boolean }) => {
      if (flags.now) return await rotateNow(cli, rotate, flags.force);
      const operator = await openOperator(cli.runtime, cli.folder(rotate));
      const path = `${controllerPaths.authority}/rotate`;
      const answer = (await operator.call("POST", path, { force: flags.force })).body as AuthorityAnswer;
      operator.close();
      show(cli.terminal(rotate), answer);
    });
}

/** Until one root is trusted again; each step as soon as the controller takes it. */
async function rotateNow(cli: Cli, command: Command, force: boolean): Promise<void> {
  const terminal = cli.terminal(command);
  const { clock } = cli.runtime;
  const path = `${controllerPaths.authority}/rotate`;
  const endMs = clock.now() + (force ? limits.rotationForceMs : limits.rotationNowMs);
  let said = "";
  for (;;) {
    const past = clock.now() > endMs;
    // Its credential is renewed on the way too.
    const operator = await openOperator(cli.runtime, cli.folder(command));
    try {
      const step = { force: force && past, now: true };
      const answer = (await operator.call("POST", path, step)).body as AuthorityAnswer;
      if (answer.phase === "none") {
        if (terminal.format === "json") return terminal.json(answer);
        return terminal.line("The new root alone is trusted; every certificate was renewed");
      }
      terminal.problem(nowWords[answer.phase]);
    } catch (error) {
      if (!isPassing(error) || (past && !force)) throw error;
      if (error.message !== said) terminal.problem(`${error.message}; waiting`);
      said = error.message;
    } finally {
      operator.close();
    }
    await new Promise<void>((resolve) => clock.after(limits.rotationLookMs, resolve));
  }
}

/** Too early, or a connection that ended because what it was made with was replaced. */
function isPassing(error: unknown): error is Error {
  return error instanceof ControlRefusal && (error.status === 409 || error.status >= 500);
}

const nowWords = {
  added: "A new root is trusted beside the old one",
  switched: "The new root signs, and every machine renews now",
} as const;

function show(terminal: Terminal, answer: AuthorityAnswer): void {
  if (terminal.format === "json") return terminal.json(answer);
  const { machines, behind } = answer;
  const share = machines === 0 ? 100 : Math.floor(((machines - behind.length) / machines) * 100);
  const ends = new Date(answer.oldLeavesEndMs).toISOString();
  switch (answer.phase) {
    case "none":
      return terminal.line("One root is trusted, and it signs; heddle ca rotate begins to replace it");
    case "added":
      terminal.line(
        `A new root is trusted beside the old one by ${share} % of the machines; the old one signs`,
      );
      if (behind.length > 0) terminal.line(`Not yet: ${behind.join(", ")}`);
      return terminal.line("Next: heddle ca rotate, once it is 100 %");
    case "switched":
      terminal.line(`The new root signs; certificates below the old one live until ${ends}`);
      return terminal.line("Next: heddle ca rotate after that, to trust the old root no more");
  }
}
