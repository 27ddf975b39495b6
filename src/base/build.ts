/** `0.1.0 (commit 4f2a…)`: the compiler of the binary puts it in. */
declare const HEDDLE_BUILD: string | undefined;

export interface Build {
  /** `from source` when this is no compiled binary. */
  readonly version: string;
  readonly commit: string | null;
}

export function build(): Build {
  if (typeof HEDDLE_BUILD !== "string") return { version: "from source", commit: null };
  const [number = "", commit = null] = HEDDLE_BUILD.split(" ");
  return { version: number, commit };
}

export function version(): string {
  const { version: number, commit } = build();
  return commit === null ? number : `${number} (commit ${commit})`;
}
