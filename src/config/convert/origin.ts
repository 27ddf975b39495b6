/**
 * A document of another mesh while it is read: each field is either taken, or said to mean nothing here, or named as lost. Who forgets
 * a field cannot lose it in silence: what nobody asked for is named when the reading ends.
 */
import type { Path, YamlDocument } from "../yaml_file.ts";

export interface ConversionNote {
  /** `loss`: it says something that the converted documents do not. `refused`: so much that none are made. `note`: what was assumed. */
  readonly kind: "loss" | "refused" | "note";
  readonly line: number;
  /** `spec.http[0].fault` */
  readonly field: string;
  readonly text: string;
}

/** What became of one document. */
export type ConversionOutcome = "converted" | "loss" | "refused";

export class Origin {
  readonly notes: ConversionNote[] = [];
  /** By path: each is read as one, however often it is asked for. */
  readonly #fields = new Map<string, Fields>();

  constructor(
    readonly source: YamlDocument,
    /** As its mesh calls it: `VirtualService reviews`. */
    readonly title: string,
  ) {}

  get line(): number {
    return this.source.place([]).line;
  }

  get outcome(): ConversionOutcome {
    const said = (kind: ConversionNote["kind"]): boolean => this.notes.some((note) => note.kind === kind);
    return said("refused") ? "refused" : said("loss") ? "loss" : "converted";
  }

  /** The whole of it, to be read. */
  root(): Fields {
    return this.fields(this.source.value, []);
  }

  fields(value: unknown, path: Path): Fields {
    const key = JSON.stringify(path);
    const known = this.#fields.get(key);
    if (known !== undefined) return known;
    const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isMapping && value !== undefined && value !== null) this.refuse(path, "expected a mapping");
    const made = new Fields(this, isMapping ? (value as Record<string, unknown>) : {}, path);
    this.#fields.set(key, made);
    return made;
  }

  loss(path: Path, text: string): void {
    this.#add("loss", path, text);
  }

  refuse(path: Path, text: string): void {
    this.#add("refused", path, text);
  }

  note(path: Path, text: string): void {
    this.#add("note", path, text);
  }

  /** Names all that nobody asked for. */
  finish(): void {
    if (this.outcome === "refused") return;
    for (const fields of this.#fields.values())
      for (const name of fields.unread)
        this.loss([...fields.path, name], "there is no counterpart: it is left out");
  }

  #add(kind: ConversionNote["kind"], path: Path, text: string): void {
    const field = pathText(path);
    if (this.notes.some((note) => note.kind === kind && note.field === field && note.text === text)) return;
    this.notes.push({ kind, line: this.source.place(path, true).line, field, text });
  }
}

/** A mapping of a document. What is asked for counts as read. */
export class Fields {
  readonly #read = new Set<string>();

  constructor(
    readonly origin: Origin,
    readonly value: Readonly<Record<string, unknown>>,
    readonly path: Path,
  ) {}

  get unread(): readonly string[] {
    return this.names.filter((name) => !this.#read.has(name));
  }

  /** Of fields that say something. */
  get names(): readonly string[] {
    return Object.keys(this.value).filter(
      (name) => this.value[name] !== undefined && this.value[name] !== null,
    );
  }

  has(name: string): boolean {
    return this.value[name] !== undefined && this.value[name] !== null;
  }

  /** These say nothing that a mesh goes by: descriptions, states. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#read.add(name);
  }

  /** undefined: it is not there. */
  raw(name: string): unknown {
    this.#read.add(name);
    return this.has(name) ? this.value[name] : undefined;
  }

  text(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    this.refuse(name, "expected a text");
    return undefined;
  }

  number(name: string): number | undefined {
    const value = this.raw(name);
    const made = typeof value === "string" && /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;
    if (made === undefined || typeof made === "number") return made;
    this.refuse(name, "expected a number");
    return undefined;
  }

  flag(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === "boolean") return value;
    this.refuse(name, "expected true or false");
    return undefined;
  }

  /** `30s`, `0.5s`, `1h30m`, in milliseconds. */
  duration(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const ms = durationMs(text);
    if (ms === null) this.refuse(name, `"${text}" is no duration that is known here`);
    return ms ?? undefined;
  }

  /** {} when it is not there. */
  inner(name: string): Fields {
    return this.origin.fields(this.raw(name), [...this.path, name]);
  }

  list(name: string): readonly Fields[] {
    return this.#array(name).map((each, at) => this.origin.fields(each, [...this.path, name, at]));
  }

  words(name: string): readonly string[] {
    return this.#array(name).map(String);
  }

  /** A mapping of texts: labels, headers. */
  texts(name: string): Readonly<Record<string, string>> {
    const all = this.inner(name);
    return Object.fromEntries(all.names.map((key) => [key, all.text(key) ?? ""]));
  }

  numbers(name: string): readonly number[] {
    return this.#array(name).map(Number);
  }

  loss(name: string, text: string): void {
    this.#read.add(name);
    if (this.has(name)) this.origin.loss([...this.path, name], text);
  }

  refuse(name: string, text: string): void {
    this.#read.add(name);
    if (this.has(name)) this.origin.refuse([...this.path, name], text);
  }

  note(name: string, text: string): void {
    this.origin.note([...this.path, name], text);
  }

  #array(name: string): readonly unknown[] {
    const value = this.raw(name);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.refuse(name, "expected a list");
    return [];
  }
}

const units: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 0.001,
  ns: 0.000_001,
};

/** As Go and protobuf write durations; null: it is none. */
function durationMs(text: string): number | null {
  if (text === "0") return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== text) return null;
  return Math.round(
    parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ""] ?? 0), 0),
  );
}

function pathText(path: Path): string {
  return path.reduce<string>(
    (text, step) => (typeof step === "number" ? `${text}[${step}]` : text === "" ? step : `${text}.${step}`),
    "",
  );
}
