/** The commands of the program as data: what completion scripts and manual pages are made of. */
import type { Argument, Command, Option } from "commander";

export interface CommandFacts {
  /** `heddle token create` */
  readonly words: string;
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly ArgumentFacts[];
  readonly options: readonly OptionFacts[];
  readonly commands: readonly CommandFacts[];
}

export interface ArgumentFacts {
  /** `<file>`, `[name...]` */
  readonly shown: string;
  readonly description: string;
  /** A file or folder of this machine. */
  readonly file: boolean;
}

export interface OptionFacts {
  /** `-f, --file <path>` */
  readonly shown: string;
  readonly long: string;
  /** `f`; null: it has none. */
  readonly short: string | null;
  readonly description: string;
  readonly takesValue: boolean;
  readonly file: boolean;
}

/** Without what is hidden. */
export function factsOf(command: Command, before = ""): CommandFacts {
  const words = `${before} ${command.name()}`.trim();
  const help = command.createHelp();
  const below = help.visibleCommands(command).filter((each) => each.name() !== "help");
  return {
    words,
    name: command.name(),
    summary: command.description(),
    arguments: command.registeredArguments.map(argumentOf),
    options: help.visibleOptions(command).flatMap(optionOf),
    commands: below.map((each) => factsOf(each, words)),
  };
}

/** A command and all below it. */
export function allOf(facts: CommandFacts): readonly CommandFacts[] {
  return [facts, ...facts.commands.flatMap(allOf)];
}

const files = /^(file|files|dir|folder|path)$/;

function argumentOf(argument: Argument): ArgumentFacts {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return {
    shown: argument.required ? `<${name}>` : `[${name}]`,
    description: argument.description,
    file: files.test(argument.name()),
  };
}

function optionOf(option: Option): OptionFacts[] {
  const { flags, description, long, short } = option;
  if (long === undefined || long === null) return [];
  const value = /[<[]([^>\]]+)[>\]]/.exec(flags)?.[1] ?? null;
  return [
    {
      shown: flags,
      long,
      short: short?.slice(1) ?? null,
      description,
      takesValue: value !== null,
      file: value !== null && files.test(value),
    },
  ];
}
