/** Machine documents apart from what is applied, wherever they stand: also those in one file with others. */
import { parseYaml, type YamlDocument } from "../config/yaml_file.ts";

export interface TextFile {
  readonly file: string;
  readonly text: string;
}

export interface SplitFiles {
  /** One document each. */
  readonly machines: readonly TextFile[];
  readonly documents: readonly TextFile[];
}

export function splitMachines(files: readonly TextFile[]): SplitFiles {
  const machines: TextFile[] = [];
  const documents: TextFile[] = [];
  for (const each of files) {
    const parsed = parseYaml(each.file, each.text);
    const found = parsed.documents.map((document) => ({ document, machine: isMachine(document) }));
    // A file with a fault goes whole to whoever reports it.
    const mixed = parsed.issues.length === 0 && found.some(({ machine }) => machine);
    if (!mixed) documents.push(each);
    else for (const { document, machine } of found) (machine ? machines : documents).push(alone(document));
  }
  return { machines, documents };
}

function isMachine({ value }: YamlDocument): boolean {
  return (value as { kind?: unknown } | null)?.kind === "Machine";
}

/** One document of a file, at the lines where it stood. */
function alone({ file, text, place }: YamlDocument): TextFile {
  const own = parseYaml(file, text).documents[0]?.place([]).line ?? 1;
  return { file, text: "\n".repeat(Math.max(0, place([]).line - own)) + text };
}
