/** Commands and flags, from the program's own tree. */
import type { Argument, Command, Option } from "commander";
import type { Chapter, Entry } from "./chapter.ts";

export function commandsChapter(program: Command): Chapter {
  return {
    name: "commands",
    title: "Commands and their flags",
    intro: [],
    entries: [
      { ...entryOf(program.name(), program), summary: "flags of every command, before or behind it" },
      ...leavesOf(program).map(({ words, command }) => entryOf(words, command)),
    ],
  };
}

interface Leaf {
  readonly words: string;
  readonly command: Command;
}

function leavesOf(command: Command, before = ""): Leaf[] {
  const words = `${before} ${command.name()}`.trim();
  if (command.commands.length === 0) return [{ words, command }];
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((each) => each.name() !== "help")
    .flatMap((each) => leavesOf(each, words));
}

function entryOf(words: string, command: Command): Entry {
  const facts = [...command.registeredArguments.map(argumentFact), ...command.options.map(optionFact)];
  return { name: words, summary: command.description(), facts, code: "" };
}

function argumentFact(argument: Argument): readonly [string, string] {
  return [argument.required ? `<${argument.name()}>` : `[${argument.name()}]`, argument.description];
}

function optionFact(option: Option): readonly [string, string] {
  return [option.flags, option.description];
}
