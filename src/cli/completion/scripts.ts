/** Completion scripts for shells, each the same knowledge in its shell's words. They run nothing but the shell. */
import { allOf, type CommandFacts, type OptionFacts } from "./tree.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export function completionScript(shell: Shell, program: CommandFacts): string {
  return { bash, zsh, fish }[shell](program);
}

const header = (program: CommandFacts, shell: Shell): string =>
  `# Completion of ${program.name} for ${shell}, written by \`${program.name} completion ${shell}\`.`;

/** Global options count at every command. */
function optionsAt(program: CommandFacts, command: CommandFacts): readonly OptionFacts[] {
  const own = new Set(command.options.map(({ long }) => long));
  return [...command.options, ...program.options.filter(({ long }) => !own.has(long))];
}

function bash(program: CommandFacts): string {
  const cases = allOf(program).map((command) => {
    const options = optionsAt(program, command).flatMap(({ long, short }) =>
      short === null ? [long] : [`-${short}`, long],
    );
    const next = command.commands.map(({ name }) => name);
    const files = command.arguments.some(({ file }) => file) ? 1 : 0;
    return `    "${command.words}") words="${next.join(" ")}" options="${options.join(" ")}" files=${files} ;;`;
  });
  const valued = [...new Set(allOf(program).flatMap(({ options }) => options))].filter(
    (each) => each.takesValue,
  );
  const words = valued.flatMap(({ long, short }) => (short === null ? [long] : [long, `-${short}`]));
  const patterns = [...new Set(words)].sort().join("|");
  const groups = allOf(program)
    .filter(({ commands }) => commands.length > 0)
    .map(
      ({ words, commands }) =>
        `      ${commands.map(({ name }) => `"${words} ${name}"`).join("|")}) path="$path $word" ;;`,
    );
  return `${header(program, "bash")}
_${program.name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  local path="${program.name}" word words="" options="" files=0
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
${groups.join("\n")}
    esac
  done
  case "$before" in
    ${patterns}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$path" in
${cases.join("\n")}
  esac
  if [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n "$words" ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  elif [[ "$files" == 1 ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _${program.name} ${program.name}
`;
}

function zsh(program: CommandFacts): string {
  const functions = allOf(program).map((command) => {
    const options = optionsAt(program, command).flatMap(zshOption);
    const name = functionOf(command);
    if (command.commands.length === 0) {
      const rest = command.arguments.map(
        ({ shown, file }) => `'*:${zshText(shown)}:${file ? "_files" : " "}'`,
      );
      return `${name}() {\n  _arguments ${[...options, ...rest.slice(0, 1)].join(" \\\n    ")}\n}`;
    }
    const described = command.commands.map(({ name: next, summary }) => `'${next}:${zshText(summary)}'`);
    const next = command.commands.map((each) => `      ${each.name}) ${functionOf(each)} ;;`);
    return `${name}() {
  local context state line
  local -a commands=(
    ${described.join("\n    ")}
  )
  _arguments -C ${[...options, "'1:command:->command'", "'*::argument:->argument'"].join(" \\\n    ")}
  case $state in
    command) _describe command commands ;;
    argument) case $line[1] in
${next.join("\n")}
    esac ;;
  esac
}`;
  });
  return `#compdef ${program.name}\n${header(program, "zsh")}\n${functions.join("\n")}\nif [ "$funcstack[1]" = "_${program.name}" ]; then\n  _${program.name} "$@"\nelse\n  compdef _${program.name} ${program.name}\nfi\n`;
}

function functionOf({ words }: CommandFacts): string {
  return `_${words.replaceAll(/[ -]/g, "_")}`;
}

function zshOption({ long, short, description, takesValue, file }: OptionFacts): string[] {
  const value = takesValue ? `:value:${file ? "_files" : " "}` : "";
  return [long, ...(short === null ? [] : [`-${short}`])].map(
    (name) => `'*${name}[${zshText(description)}]${value}'`,
  );
}

/** Between single quotes, inside brackets and before colons. */
function zshText(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, (each) => `\\${each}`);
}

function fish(program: CommandFacts): string {
  const { name } = program;
  const lines = allOf(program).flatMap((command) => {
    const here = fishCondition(program, command);
    const next = command.commands.map(
      (each) => `complete -c ${name} -f -n '${here}' -a ${each.name} -d ${fishText(each.summary)}`,
    );
    const options = (command === program ? [] : command.options).map((each) => fishOption(name, here, each));
    const files = command.arguments.some(({ file }) => file) ? [`complete -c ${name} -n '${here}' -F`] : [];
    return [...next, ...options, ...files];
  });
  const everywhere = program.options.map((each) => fishOption(name, "true", each));
  return `${header(program, "fish")}
function __${name}_at
    set -l words (commandline -opc)
    set -l path $words[1]
    for word in $words[2..-1]
        string match -q -- '-*' $word; and continue
        contains -- "$path $word" ${allOf(program)
          .slice(1)
          .map(({ words }) => `'${words}'`)
          .join(" ")}; and set path "$path $word"
    end
    test "$path" = "$argv[1]"
end
complete -c ${name} -f
${[...everywhere, ...lines].join("\n")}
`;
}

function fishCondition(program: CommandFacts, { words }: CommandFacts): string {
  return `__${program.name}_at "${words}"`;
}

function fishOption(
  name: string,
  here: string,
  { long, short, description, takesValue, file }: OptionFacts,
): string {
  const value = takesValue ? (file ? " -r -F" : " -x") : "";
  const brief = short === null ? "" : ` -s ${short}`;
  return `complete -c ${name} -n '${here}'${brief} -l ${long.slice(2)}${value} -d ${fishText(description)}`;
}

function fishText(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
