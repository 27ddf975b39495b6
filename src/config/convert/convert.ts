/**
 * Documents of other meshes as documents of heddle that do the same (`heddle convert`). Of each one it is told what became of it:
 * converted; converted with a loss that is named; refused with the reason. What a field says is never lost in silence.
 */
import { stringify } from "yaml";
import { limits } from "../../model/limits.ts";
import type { Issue } from "../issue.ts";
import { loadDocuments, type TextFile } from "../load.ts";
import { parseYaml, type Path, type YamlDocument } from "../yaml_file.ts";
import type { ConvertOptions, Dialect } from "./dialect.ts";
import { readConsul } from "./consul.ts";
import { looksLikeHcl, parseHcl } from "./hcl_file.ts";
import { readIstio } from "./istio.ts";
import { readKuma } from "./kuma.ts";
import { readLinkerd } from "./linkerd.ts";
import { Origin, type ConversionNote, type ConversionOutcome } from "./origin.ts";
import { Target, type Made } from "./target.ts";

export const dialects = {
  istio: readIstio,
  linkerd: readLinkerd,
  consul: readConsul,
  kuma: readKuma,
} as const satisfies Readonly<Record<string, Dialect>>;

export type DialectName = keyof typeof dialects;

export interface ConvertedSource {
  readonly file: string;
  readonly line: number;
  /** `VirtualService reviews` */
  readonly title: string;
  readonly outcome: ConversionOutcome;
  readonly notes: readonly ConversionNote[];
}

export interface Conversion {
  /** One file of documents of heddle; each says above it where it comes from. */
  readonly text: string;
  /**
   * For each refused document that says who may call, one that nobody can apply: what is converted without it may let in more than the
   * original does, so it is not applied before somebody has decided. Goes before the rest.
   */
  readonly undecided: string;
  readonly sources: readonly ConvertedSource[];
  readonly counts: Readonly<Record<ConversionOutcome, number>>;
  /** What could not be read at all. */
  readonly issues: readonly Issue[];
}

export function convertDocuments(
  files: readonly TextFile[],
  dialect: DialectName,
  options: ConvertOptions,
): Conversion {
  const parsed = files.map(({ file, text }) =>
    dialect === "consul" && isHcl(file, text) ? parseHcl(file, text) : parseYaml(file, text),
  );
  const sources = parsed
    .flatMap(({ documents }) => documents)
    .flatMap(dialect === "consul" ? bootstrapOf : itemsOf)
    .slice(0, limits.documentsMax);
  const refused = new Map<YamlDocument, ConversionNote[]>();
  // What is refused leaves nothing behind, so all is read again without it.
  for (;;) {
    const origins = sources.map((source) => new Origin(source, titleOf(source.value)));
    const read = origins.filter(({ source }) => !refused.has(source));
    const target = new Target();
    dialects[dialect](read, target, options);
    const made = target.documents();
    refuseUnsound(made, read);
    const fresh = read.filter(({ outcome }) => outcome === "refused");
    for (const { source, notes } of fresh)
      refused.set(
        source,
        notes.filter(({ kind }) => kind === "refused"),
      );
    if (fresh.length > 0) continue;
    for (const origin of read) origin.finish();
    return conversionOf(
      origins,
      refused,
      made,
      parsed.flatMap(({ issues }) => issues),
    );
  }
}

/** Lists of Kubernetes have documents inside. */
function itemsOf(source: YamlDocument): YamlDocument[] {
  const { value } = source;
  const { kind, items } = (value ?? {}) as { kind?: unknown; items?: unknown };
  if (kind !== "List" || !Array.isArray(items)) return [source];
  return items.map((item: unknown, at) => ({
    ...source,
    value: item,
    place: (path, key) => source.place(["items", at, ...path], key),
  }));
}

/** JSON may have the name of HCL: Consul reads both from one file. */
function isHcl(file: string, text: string): boolean {
  return file.endsWith(".hcl") ? !text.trimStart().startsWith("{") : looksLikeHcl(text);
}

/** The settings of an agent of Consul have entries in them, to begin with: `config_entries { bootstrap { … } }`. */
function bootstrapOf(source: YamlDocument): YamlDocument[] {
  const { config_entries: inside, ...others } = (source.value ?? {}) as Readonly<Record<string, unknown>>;
  const { bootstrap, ...more } = (inside ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof bootstrap !== "object" || bootstrap === null) return itemsOf(source);
  const all: readonly unknown[] = Array.isArray(bootstrap) ? bootstrap : [bootstrap];
  const way = (at: number): Path => [
    "config_entries",
    "bootstrap",
    ...(Array.isArray(bootstrap) ? [at] : []),
  ];
  const entries = all.map((value, at): YamlDocument => ({
    ...source,
    value,
    place: (path, key) => source.place([...way(at), ...path], key),
  }));
  const isOnly = Object.keys(others).length + Object.keys(more).length === 0;
  return isOnly ? entries : [...entries, { ...source, value: { ...others, ...more } }];
}

/** `VirtualService reviews`, by the words that each mesh has for it. */
function titleOf(value: unknown): string {
  const all = (value ?? {}) as Readonly<Record<string, unknown>>;
  const metadata = (all["metadata"] ?? {}) as Readonly<Record<string, unknown>>;
  const written = (field: string): unknown =>
    Object.entries(all).find(([name, said]) => name.toLowerCase() === field && said != null)?.[1];
  const kind = written("kind") ?? all["type"] ?? "document";
  const name = metadata["name"] ?? written("name") ?? "";
  // It stands in comments: what breaks a line there would be a document.
  return `${String(kind)} ${String(name)}`.replaceAll(/[\s\p{Cc}\u2028\u2029]+/gu, " ").trim();
}

/** What heddle itself would refuse is refused with its reason: nothing that is handed out fails when it is applied. */
function refuseUnsound(made: readonly Made[], origins: readonly Origin[]): void {
  const files = made.map(({ value }, at) => ({ file: String(at), text: stringify(value) }));
  const { issues } = loadDocuments(files, { policies: null });
  for (const { file, severity, message } of issues) {
    if (severity !== "error") continue;
    const culprits = made[Number(file)]?.origins ?? new Set(origins);
    for (const origin of culprits) origin.refuse([], `what comes of it does not hold here: ${message}`);
  }
}

function conversionOf(
  origins: readonly Origin[],
  refused: ReadonlyMap<YamlDocument, readonly ConversionNote[]>,
  made: readonly Made[],
  issues: readonly Issue[],
): Conversion {
  const sources = origins.map((origin): ConvertedSource => {
    const { source, title, line } = origin;
    const why = refused.get(source);
    return {
      ...{ file: source.file, line, title },
      outcome: why === undefined ? origin.outcome : "refused",
      notes: why ?? origin.notes,
    };
  });
  const counts = { converted: 0, loss: 0, refused: 0 };
  for (const { outcome } of sources) counts[outcome]++;
  const undecided = sources.filter(({ outcome, title }) => outcome === "refused" && saysWhoMayCall(title));
  return {
    text: made.map(textOf).join("---\n"),
    undecided: undecided.map(undecidedText).join("---\n"),
    ...{ sources, counts, issues },
  };
}

/** Those that are read here, and those that have no counterpart: tokens at gateways of Consul, permissions of Kuma before 2.0. */
const accessKinds: ReadonlySet<string> = new Set([
  ...["authorizationpolicy", "peerauthentication", "requestauthentication"],
  ...["server", "serverauthorization", "meshtlsauthentication", "networkauthentication"],
  ...["serviceintentions", "gatewaypolicy", "routeauthfilter"],
  ...["meshtrafficpermission", "trafficpermission"],
]);

/** Consul's kinds are written in several ways. */
function saysWhoMayCall(title: string): boolean {
  const [kind = ""] = title.split(" ", 1);
  return accessKinds.has(kind.replaceAll(/[_-]/g, "").toLowerCase());
}

function undecidedText({ file, line, title, notes }: ConvertedSource): string {
  const why = notes.map(({ text }) => `# - ${text.replaceAll(/\s+/g, " ")}\n`).join("");
  return `# ${title} (${file}:${line}) was refused:
${why}# Without it more may pass here than where it comes from. Write who may call as documents of kind Access (heddle explain Access) and take
# this one out: until then nothing of this applies.
${stringify({ kind: "Undecided", from: `${title} (${file}:${line})` }, { lineWidth: 0 })}`;
}

function textOf({ value, origins }: Made): string {
  const places = [...origins].map(({ source, title, line }) => `# from ${title} (${source.file}:${line})\n`);
  return `${places.join("")}${stringify(value, { lineWidth: 0 })}`;
}
