/** What `heddle explain` is made of: chapters of entries, each taken from the table that the code itself uses. */

export interface Chapter {
  /** What it is asked for by: `flags`, `exit-codes`. */
  readonly name: string;
  /** One line without a full stop. */
  readonly title: string;
  /** Paragraphs before the entries. What begins with four spaces is a line of an example. */
  readonly intro: readonly string[];
  readonly entries: readonly Entry[];
  /** What the texts of its entries are written in. */
  readonly language?: "yaml" | "ts";
}

/** One thing that has a name. */
export interface Entry {
  /** What it is asked for by: `UF`, `Service.health`, `heddle apply`. */
  readonly name: string;
  /** One line without a full stop. */
  readonly summary: string;
  /** What more there is to say, as name and value: `default`, `1s`. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** A text whose lines stay as they are: a declaration, an example; "" for none. */
  readonly code: string;
}

/** Those directly below it, where names lead to one another: `Traffic.balance.key` of `Traffic.balance`. */
export function entriesBelow(chapters: readonly Chapter[], { name }: Entry): readonly Entry[] {
  const below = new Set([`${name}.`, `${name}[].`]);
  return chapters
    .flatMap((each) => each.entries)
    .filter((each) => below.has(each.name.slice(0, each.name.lastIndexOf(".") + 1)));
}

/** As people type names: a command without `heddle`, a field of Traffic as metrics and errors name it (`limits.connections`). */
export function entryNamed(chapters: readonly Chapter[], name: string): Entry | null {
  const names = [name, `heddle ${name}`, `Traffic.${name}`];
  return names.map((each) => findEntry(chapters, each)).find((each) => each !== null) ?? null;
}

/** The entry of that name; where none is spelt so, one that differs in the case of letters alone. */
function findEntry(chapters: readonly Chapter[], name: string): Entry | null {
  const all = chapters.flatMap((each) => each.entries);
  const wanted = name.toLowerCase();
  return (
    all.find((each) => each.name === name) ?? all.find((each) => each.name.toLowerCase() === wanted) ?? null
  );
}
