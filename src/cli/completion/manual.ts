/** Manual pages (man(7)), one for the program and one for each command that stands first, with those below it. */
import { allOf, type CommandFacts } from "./tree.ts";

export interface ManualPage {
  /** `heddle-token.1` */
  readonly file: string;
  readonly text: string;
}

export interface ManualFacts {
  readonly version: string;
  /** Code and meaning. */
  readonly exitCodes: readonly (readonly [string, string])[];
}

export function manualPages(program: CommandFacts, facts: ManualFacts): readonly ManualPage[] {
  const pageOf = (command: CommandFacts): ManualPage => ({
    file: `${nameOf(command)}.1`,
    text: `${linesOf(program, command, facts).join("\n")}\n`,
  });
  return [program, ...program.commands].map(pageOf);
}

function nameOf({ words }: CommandFacts): string {
  return words.replaceAll(" ", "-");
}

function linesOf(
  program: CommandFacts,
  command: CommandFacts,
  { version, exitCodes }: ManualFacts,
): string[] {
  const isProgram = command === program;
  const leaves = allOf(command).filter(({ commands }) => commands.length === 0);
  return [
    `.TH ${nameOf(command).toUpperCase()} 1 "" "heddle ${version}" "heddle"`,
    // Lines as long as their words make them: an address that cannot be broken leaves none that can be spread.
    ".ad l",
    ".SH NAME",
    `${escaped(nameOf(command))} \\- ${escaped(command.summary)}`,
    ".SH SYNOPSIS",
    ...(isProgram ? [`.B ${program.name}`, "COMMAND [FLAGS]"] : leaves.flatMap(synopsisOf)),
    ...(isProgram ? commandsOf(program) : leaves.flatMap((leaf) => sectionOf(leaf, leaves.length > 1))),
    ...flagsOf("GLOBAL FLAGS", program),
    ".SH EXIT STATUS",
    ...exitCodes.flatMap(([code, meaning]) => [".TP", `.B ${code}`, escaped(meaning)]),
    ".SH SEE ALSO",
    ...seeAlso(program, command),
  ];
}

function synopsisOf(command: CommandFacts): string[] {
  const words = [
    ...command.arguments.map(({ shown }) => shown),
    ...(command.options.length > 0 ? ["[FLAGS]"] : []),
  ];
  return [`.B ${escaped(command.words)}`, escaped(words.join(" ")), ".br"];
}

function commandsOf(program: CommandFacts): string[] {
  const entries = program.commands.flatMap(({ name, summary }) => [
    ".TP",
    `.B ${escaped(name)}`,
    escaped(summary),
  ]);
  return [".SH COMMANDS", ...entries];
}

/** One command; with its own heading where a page has several. */
function sectionOf(command: CommandFacts, several: boolean): string[] {
  const heading = several ? [`.SH ${escaped(command.words.toUpperCase())}`, escaped(command.summary)] : [];
  const values = command.arguments.flatMap(({ shown, description }) => [
    ".TP",
    `.I ${escaped(shown)}`,
    escaped(description),
  ]);
  if (several) return [...heading, ...values, ...command.options.flatMap(flagLines)];
  return [...(values.length > 0 ? [".SH ARGUMENTS", ...values] : []), ...flagsOf("FLAGS", command)];
}

function flagsOf(title: string, { options }: CommandFacts): string[] {
  return options.length === 0 ? [] : [`.SH ${title}`, ...options.flatMap(flagLines)];
}

function flagLines({ shown, description }: CommandFacts["options"][number]): string[] {
  return [".TP", `.B ${escaped(shown)}`, escaped(description)];
}

function seeAlso(program: CommandFacts, command: CommandFacts): string[] {
  const others = command === program ? program.commands : [program];
  const names = others.map((each) => `.BR ${escaped(nameOf(each))} (1)`);
  return [
    ...names,
    ".PP",
    `\\fB${program.name} explain\\fR says what every field, flag, code and limit means.`,
  ];
}

/** Minus signs that are typed, and lines that no request begins (man(7), "Safe subset"). */
function escaped(text: string): string {
  const plain = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("\n", " ")
    .replaceAll(
      /[^ -~]/gu,
      (each) => `\\[u${(each.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}
