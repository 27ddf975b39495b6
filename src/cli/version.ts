/** `0.1.0 (commit 4f2a…)`: the compiler of the binary puts it in. */
declare const HEDDLE_BUILD: string | undefined;

export function version(): string {
  if (typeof HEDDLE_BUILD !== "string") return "from source";
  const [number, commit] = HEDDLE_BUILD.split(" ");
  return `${number} (commit ${commit})`;
}
