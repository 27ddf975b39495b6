/**
 * What a kind of document is: its fields, what they mean, and what can be wrong with them, alone and beside others. Each
 * kind is one file of `kinds/`; `kinds.ts` lists them.
 */
import type * as v from "valibot";
import type { AnyDocument, PolicyUse } from "../model/document.ts";
import type { DocumentSet } from "./document_set.ts";
import type { Issue } from "./issue.ts";
import { reportInto, type Report } from "./issue_at.ts";
import { readFields } from "./read_fields.ts";
import type { Path, YamlDocument } from "./yaml_file.ts";

/** A document with the place it came from, for problems that are found later. */
export interface Placed<Model extends AnyDocument = AnyDocument> {
  readonly document: Model;
  readonly source: YamlDocument;
}

/** A policy attached somewhere in a document. */
export interface PlacedUse {
  readonly use: PolicyUse;
  readonly path: Path;
  /** What is spoken there, where that may be opaque connections. Absent: requests alone. */
  readonly opaque?: string;
}

/** One document among the others, and where to say what is wrong with it. */
export interface Neighbourhood {
  readonly set: DocumentSet;
  readonly source: YamlDocument;
  readonly report: Report;
}

/** Says what is wrong with one document of several; false once nobody would read more. */
export type ReportOn = (source: YamlDocument, ...issue: Parameters<Report>) => boolean;

export interface KindParts<Schema extends v.GenericSchema, Model extends AnyDocument> {
  readonly name: Model["kind"];
  /** As operators write it, sugar included. One field is one line; what is not here is an error. */
  readonly schema: Schema;
  /** What it is for, in one sentence without a full stop. */
  readonly words: string;
  /** One of them, as short as it is useful. */
  readonly example: string;
  /** Defaults filled in, sugar expanded, names resolved to their namespace. */
  readonly expand: (written: v.InferOutput<Schema>) => Model;
  /** What it must not contain although each field is well-formed: names used twice, two forms of one thing. */
  readonly check?: (written: v.InferOutput<Schema>, report: Report) => void;
  /** What only the whole set can tell: names that lead nowhere, rules that never match. */
  readonly crossCheck?: (document: Model, around: Neighbourhood) => void;
  /** What documents of this kind do to one another. */
  readonly crossCheckAll?: (all: readonly Placed<Model>[], report: ReportOn) => void;
  readonly policyUses?: (document: Model) => readonly PlacedUse[];
}

/** A kind as everybody else sees it: what it is handed is told apart by its `kind`. */
export interface Kind {
  readonly name: AnyDocument["kind"];
  /** What it is for, in one sentence without a full stop. */
  readonly words: string;
  readonly example: string;
  /** Its fields, for who explains them. */
  readonly schema: v.GenericSchema;
  /** Adds to `issues` and answers null when the document does not fit. */
  readonly read: (source: YamlDocument, issues: Issue[]) => AnyDocument | null;
  readonly crossCheck: (placed: Placed, set: DocumentSet, issues: Issue[]) => void;
  readonly crossCheckAll: (all: readonly Placed[], report: ReportOn) => void;
  readonly policyUses: (document: AnyDocument) => readonly PlacedUse[];
}

export function defineKind<Schema extends v.GenericSchema, Model extends AnyDocument>(
  parts: KindParts<Schema, Model>,
): Kind {
  const { name, words, example, schema, expand, check, crossCheck, crossCheckAll, policyUses } = parts;
  const isOwn = (placed: Placed): placed is Placed<Model> => placed.document.kind === name;
  return {
    name,
    words,
    example,
    schema,
    read(source, issues) {
      const written = readFields(source, schema, issues);
      if (written === null) return null;
      check?.(written.value, reportInto(source, issues));
      return expand(written.value);
    },
    crossCheck(placed, set, issues) {
      if (crossCheck === undefined || !isOwn(placed)) return;
      const { document, source } = placed;
      crossCheck(document, { set, source, report: reportInto(source, issues) });
    },
    crossCheckAll(all, report) {
      crossCheckAll?.(all.filter(isOwn), report);
    },
    policyUses(document) {
      return document.kind === name ? (policyUses?.(document as Model) ?? []) : [];
    },
  };
}
