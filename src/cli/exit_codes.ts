/** How a command ended, for scripts: the same numbers for every command. */
export const exitCodes = {
  good: 0,
  /** The answer is no. */
  no: 1,
  /** It could not be tried. */
  impossible: 2,
  bug: 70,
} as const;

/** `heddle explain exit-codes` shows them. */
export const exitCodeMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  good: "It is done, or the answer is yes",
  no: "The answer is no: documents with errors, checks that failed, something that does not exist",
  impossible:
    "It could not be tried: flags that are wrong, a controller that does not answer, a port or a folder that cannot be had",
  bug: "A fault of heddle: what it printed belongs into a report",
};

/** At the end of the help. */
export function exitCodesHelp(): string {
  const words = Object.entries(exitCodes).map(([name, code]) => {
    const [first = ""] = exitCodeMeanings[name as keyof typeof exitCodes].split(":");
    return `${code} ${first.charAt(0).toLowerCase()}${first.slice(1)}`;
  });
  return `\nExit codes: ${words.join("; ")} (heddle explain exit-codes)`;
}
