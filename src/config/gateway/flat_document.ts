/**
 * A document in the form of heddle made from one in another form, field by field. Whatever is wrong with a field is told where it
 * was written and by the path that it has there.
 */
import { issueAt } from "../issue_at.ts";
import type { Issue } from "../issue.ts";
import type { Path, YamlDocument } from "../yaml_file.ts";

type Values = Record<string | number, unknown>;

export class FlatDocument {
  readonly #value: Values = {};
  /** By the path here, as JSON. */
  readonly #origins = new Map<string, Path>();

  constructor(
    readonly source: YamlDocument,
    readonly issues: Issue[],
  ) {}

  /** `value` was written at `origin`; undefined: nothing was. */
  put(path: Path, origin: Path, value: unknown): void {
    if (value === undefined) return;
    this.#origins.set(JSON.stringify(path), origin);
    let inside: Values = this.#value;
    path.slice(0, -1).forEach((step, at) => {
      inside[step] ??= typeof path[at + 1] === "number" ? [] : {};
      inside = inside[step] as Values;
    });
    inside[path.at(-1) as string | number] = value;
  }

  wrong(origin: Path, message: string): void {
    this.issues.push(issueAt(this.source, origin, message, { key: true }));
  }

  /** It has no meaning here. */
  unused(origin: Path, message: string): void {
    this.issues.push(issueAt(this.source, origin, message, { key: true, code: "HED0160" }));
  }

  /** As the kinds of heddle read it. */
  get document(): YamlDocument {
    const { source } = this;
    const written = (path: Path): Path => this.#originOf(path);
    return {
      ...{ file: source.file, text: source.text, value: this.#value, written },
      place: (path, key) => source.place(written(path), key),
    };
  }

  /** Of what was made up it is the nearest thing around it. */
  #originOf(path: Path): Path {
    for (let length = path.length; length > 0; length--) {
      const origin = this.#origins.get(JSON.stringify(path.slice(0, length)));
      if (origin !== undefined) return [...origin, ...path.slice(length)];
    }
    return [];
  }
}
