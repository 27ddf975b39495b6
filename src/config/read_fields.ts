/** One YAML value against the schema of its kind: the typed value, or every problem with its place. */
import * as v from "valibot";
import { nearest, suggestion, type Issue } from "./issue.ts";
import { issueAt } from "./issue_at.ts";
import { valueAt, valueText } from "./value_text.ts";
import type { Path, YamlDocument } from "./yaml_file.ts";

/** Adds to `issues` and answers null when the document does not fit. */
export function readFields<Schema extends v.GenericSchema>(
  document: YamlDocument,
  schema: Schema,
  issues: Issue[],
): { readonly value: v.InferOutput<Schema> } | null {
  const parsed = v.safeParse(schema, document.value);
  if (parsed.success) return { value: parsed.output };
  for (const issue of parsed.issues) issues.push(...describe(document, schema, issue));
  return null;
}

/** Fields that reference documents have and this version does not: refused in words of their own. */
const plannedFields: ReadonlySet<string> = new Set([
  ...["parentRefs", "hostnames", "filters", "backendRefs", "sessionPersistence", "limits"],
]);

function describe(document: YamlDocument, schema: v.GenericSchema, issue: v.BaseIssue<unknown>): Issue[] {
  const path: Path = (issue.path ?? []).map((item) => item.key as string | number);
  if (issue.type === "strict_object" && issue.expected === "never")
    return unknownFields(document, schema, path.slice(0, -1));
  if (issue.type === "strict_object") {
    const wanted = v.safeParse(schemaAt(schema, document.value, path), undefined).issues?.[0];
    const expected = wanted === undefined ? "" : `, expected ${expectedText(wanted)}`;
    return [issueAt(document, path, `this field is missing${expected}`)];
  }
  const key = (issue.path?.at(-1) as { origin?: string } | undefined)?.origin === "key";
  // As it was written: a check may see what the field was turned into, milliseconds for `1ms`.
  const written = key ? issue.input : valueAt(document.value, path);
  const message = `${valueText(written)} does not fit, expected ${expectedText(issue)}`;
  return [issueAt(document, path, message, { key })];
}

/** Our own messages say what was expected; the library's begin with "Invalid". */
function expectedText(issue: v.BaseIssue<unknown>): string {
  return issue.message.startsWith("Invalid ") ? (issue.expected ?? issue.message) : issue.message;
}

/** The library stops at the first one of a mapping. */
function unknownFields(document: YamlDocument, schema: v.GenericSchema, path: Path): Issue[] {
  const known = Object.keys(partsOf(schemaAt(schema, document.value, path)).entries ?? {});
  const written = valueAt(document.value, path);
  return Object.keys(written as object)
    .filter((field) => !known.includes(field))
    .map((field) => {
      const planned = plannedFields.has(field) && nearest(field, known) === null;
      const message = planned
        ? "this version does not support this field yet"
        : `this field is not known${suggestion(field, known, `; known are ${known.join(", ")}`)}`;
      return issueAt(document, [...path, field], message, { key: true });
    });
}

type Readable = Record<string | number, unknown>;

/** What the schema expects at a path of the input. */
function schemaAt(schema: v.GenericSchema, input: unknown, path: Path): v.GenericSchema {
  const { wrapped, getter, entries, item, value } = partsOf(schema);
  if (wrapped !== undefined) return schemaAt(wrapped, input, path);
  if (getter !== undefined) return schemaAt(getter(input), input, path);
  const [step, ...rest] = path;
  const below = step === undefined ? undefined : (entries?.[step] ?? item ?? value);
  if (step === undefined || below === undefined) return schema;
  return schemaAt(below, (input as Readable)[step], rest);
}

interface SchemaParts {
  readonly wrapped?: v.GenericSchema;
  readonly getter?: (input: unknown) => v.GenericSchema;
  readonly entries?: Record<string, v.GenericSchema>;
  readonly item?: v.GenericSchema;
  readonly value?: v.GenericSchema;
}

/** The last schema of a pipe tells the shape; it may have a pipe of its own. */
function partsOf(schema: v.GenericSchema): SchemaParts {
  const { pipe = [] } = schema as { pipe?: readonly v.GenericSchema[] };
  const last = pipe.findLast((each) => each.kind === "schema");
  return last === undefined ? (schema as SchemaParts) : partsOf(last);
}
