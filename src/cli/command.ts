/** What every command gets: the host, where state lies, and how to speak. */
import type { Command } from "commander";
import type { Runtime } from "../../runtime/contract.ts";
import { chooseStateFolder, type StateFolder } from "../app/state_folder.ts";
import { parseDuration } from "../base/duration.ts";
import { limits } from "../model/limits.ts";
import { UserError } from "../base/user_error.ts";
import { isName } from "../identity/spiffe_id.ts";
import { defaultNamespace, type ServiceName } from "../model/service.ts";
import { Terminal } from "./terminal.ts";

/** Adds one command to the program. */
export type Register = (program: Command, cli: Cli) => void;

export class Cli {
  constructor(readonly runtime: Runtime) {}

  /** By `--output`. */
  terminal(command: Command): Terminal {
    const format = (command.optsWithGlobals()["output"] as string | undefined) ?? "text";
    if (format !== "text" && format !== "json") {
      throw new UserError(`Cannot print as "${format}": --output is text or json`);
    }
    return new Terminal(this.runtime.process, format);
  }

  /** By `--state`, HEDDLE_STATE or the default. */
  folder(command: Command): StateFolder {
    return chooseStateFolder(this.runtime.process, command.optsWithGlobals()["state"] as string | undefined);
  }

  /** By `--drain`, HEDDLE_DRAIN or the default: how long what is open may go on when this ends, milliseconds. */
  drainMs(command: Command): number {
    const flag = command.optsWithGlobals()["drain"] as string | undefined;
    const text = flag ?? this.runtime.process.env["HEDDLE_DRAIN"] ?? "";
    if (text === "") return limits.drainMs;
    const ms = parseDuration(text);
    if (ms === null || ms > limits.drainMaxMs) {
      const source = flag === undefined ? "HEDDLE_DRAIN" : "--drain";
      throw new UserError(
        `Cannot use ${source} "${text}": expected a duration such as 5s or 10m, at most 24h`,
      );
    }
    return ms;
  }
}

/** A port number from a flag. 0 lets the host choose, where that makes sense. */
export function portFlag(name: string): (text: string) => number {
  return (text) => {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    if (!(port >= 0 && port <= 65535))
      throw new UserError(`Cannot use ${name} "${text}": expected a port from 0 to 65535`);
    return port;
  };
}

/** The flags of a command as they were given, without its defaults. */
export function givenFlags<Flags extends object>(command: Command, flags: Flags): Partial<Flags> {
  const entries = Object.entries(flags).filter(([name]) => command.getOptionValueSource(name) === "cli");
  return Object.fromEntries(entries) as Partial<Flags>;
}

/** Gathers a flag that may be given several times. */
export function repeated(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** A duration such as 15m or 1h30m, in milliseconds. */
export function parseDurationFlag(name: string): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    if (ms === null || ms === 0)
      throw new UserError(`Cannot use ${name} "${text}": expected a duration such as 15m or 1h30m`);
    return ms;
  };
}

/** `orders` or `orders.prod`. */
export function parseServiceName(text: string, what = "the name"): ServiceName {
  const [name = "", namespace = defaultNamespace, ...more] = text.split(".");
  if (!isName(name) || !isName(namespace) || more.length > 0) {
    throw new UserError(
      `Cannot use ${what} "${text}": expected a name such as orders or orders.prod, of lower-case letters, digits and '-'`,
    );
  }
  return { name, namespace };
}
