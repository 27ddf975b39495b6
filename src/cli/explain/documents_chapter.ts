/** Kinds of documents and their fields, from the schemas that read them. */
import * as v from "valibot";
import { kinds } from "../../config/kinds.ts";
import type { Chapter, Entry } from "./chapter.ts";

export function documentsChapter(): Chapter {
  return {
    name: "documents",
    title: "Kinds of documents and their fields",
    language: "yaml",
    intro: [
      "Documents are YAML, several to a file between lines of ---. heddle apply checks all of them together; Machine documents stay on their machine. What a schema does not know is an error that names file, line and field.",
    ],
    entries: Object.values(kinds).flatMap(({ name, words, example, schema }) => [
      { name, summary: words, facts: [], code: example },
      ...fieldsOf(schema, name),
    ]),
  };
}

/** What the walk needs to see of a schema; the library's own types say it of each schema alone. */
interface Seen {
  readonly type: string;
  readonly message?: unknown;
  readonly wrapped?: Seen;
  readonly item?: Seen;
  readonly entries?: Readonly<Record<string, Seen>>;
  readonly pipe?: readonly Seen[];
}

/** Every field below a schema, with the way to it: `HTTPRoute.rules[].timeouts.request`. */
function fieldsOf(schema: v.GenericSchema, way: string): Entry[] {
  return walk(schema as unknown as Seen, way);
}

function walk(seen: Seen, way: string): Entry[] {
  const { wrapped, item, entries, pipe } = seen;
  if (entries !== undefined)
    return Object.entries(entries)
      .filter(([name]) => name !== "kind")
      .flatMap(([name, field]) => [entryOf(field, `${way}.${name}`), ...walk(field, `${way}.${name}`)]);
  if (pipe !== undefined) return pipe.flatMap((part) => walk(part, way));
  if (wrapped !== undefined) return walk(wrapped, way);
  return item === undefined ? [] : walk(item, `${way}[]`);
}

function entryOf(field: Seen, name: string): Entry {
  const optional = field.type === "optional";
  const inner = optional && field.wrapped !== undefined ? field.wrapped : field;
  const summary = v.getDescription(inner as unknown as v.GenericSchema) ?? "";
  const form = formOf(inner);
  const facts: [string, string][] = [["needed", optional ? "no" : "yes"]];
  if (form !== "") facts.push(["value", form]);
  return { name, summary, facts, code: "" };
}

/** What the reader of documents says that it expected: the words of the last check that has some. */
function formOf({ message, pipe = [] }: Seen): string {
  const later = pipe.map(formOf).filter((form) => form !== "");
  const own = typeof message === "string" && !/^at (?:most|least) /.test(message) ? message : "";
  return later.at(-1) ?? own;
}
