/**
 * Documents and catalog in, one machine's snapshot out, as it was once judged right: `snapshot/<case>.yaml` holds the
 * documents, and as its last part the rest of the input. GOLDEN=update writes what comes out now.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { loadDocuments } from "../../src/config/load.ts";
import { issueText } from "../../src/config/issue.ts";
import { SnapshotCompiler, type CompileInput } from "../../src/controller/compile/snapshot_compiler.ts";
import type { Document } from "../../src/model/document.ts";
import type { Instance, ServiceName } from "../../src/model/service.ts";
import type { PolicyRef, Snapshot } from "../../src/model/snapshot.ts";
import { isWhole } from "../../src/model/snapshot_version.ts";
import { expectGolden } from "../support/golden.ts";

const folder = join(import.meta.dir, "snapshot");

interface Case {
  readonly documents: readonly Document[];
  readonly node: string;
  readonly services: readonly string[];
  readonly uses: readonly string[];
  readonly deniedIds?: readonly string[];
  readonly deniedSerials?: readonly string[];
  /** `<node> <service> <port> [label=value…]`; a port of 0: not ready. */
  readonly instances: readonly string[];
  readonly policies?: readonly PolicyRef[];
  /** By document key. */
  readonly leadsTo?: Readonly<Record<string, readonly string[]>>;
  /** By service key. */
  readonly addresses?: Readonly<Record<string, string>>;
}

function readCase(file: string): Case {
  const text = readFileSync(join(folder, file), "utf8");
  const at = text.lastIndexOf("\n---\n");
  const { documents, issues } = loadDocuments([{ file, text: text.slice(0, at) }], { policies: null });
  expect(issues.filter((each) => each.severity === "error").map(issueText)).toEqual([]);
  return { ...(parse(text.slice(at)) as Case), documents: documents.map((each) => each.document) };
}

function serviceNamed(key: string): ServiceName {
  const [name = "", namespace = ""] = key.split(".");
  return { name, namespace };
}

function instanceOf(text: string): Instance {
  const [node = "", key = "", port = "", ...more] = text.split(" ");
  const said = new Map(more.map((each) => each.split("=") as [string, string]));
  const own = ["network", "address", "apart"];
  const labels = [...said].filter(([name]) => !own.includes(name));
  const network = said.get("network");
  return {
    id: `${node}/${key}/${port}`,
    service: serviceNamed(key),
    node,
    address: said.get("address") ?? `10.0.0.${node.at(-1)}`,
    port: 7445,
    labels: Object.fromEntries(labels),
    ready: port !== "0",
    ...(network === undefined ? {} : { network }),
    ...(said.has("apart") ? { apart: true } : {}),
  };
}

function inputOf(given: Case): CompileInput {
  return {
    trustDomain: "corp.example",
    bundle: { trustDomain: "corp.example", sequence: 3, rootsPem: ["(root)"] },
    deniedIds: given.deniedIds ?? [],
    deniedSerials: given.deniedSerials ?? [],
    sessionSecret: {
      secret: Buffer.alloc(32, "secret").toString("base64"),
      madeMs: 2_000,
      before: { secret: Buffer.alloc(32, "before").toString("base64"), replacedMs: 1_500 },
    },
    documents: given.documents,
    instances: given.instances.map(instanceOf),
    policies: new Map((given.policies ?? []).map((policy) => [policy.name, policy])),
    leadsTo: new Map(Object.entries(given.leadsTo ?? {})),
    addresses: new Map(Object.entries(given.addresses ?? {})),
    drains: new Set(),
    trials: new Map(),
  };
}

function compile(given: Case, input: CompileInput): Snapshot {
  const { node, services, uses } = given;
  return new SnapshotCompiler(input).compile({ node, services: services.map(serviceNamed), uses });
}

const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

describe("the snapshot of", () => {
  for (const file of files) {
    const given = readCase(file);

    test(`${file} is what is expected`, () => {
      const snapshot = compile(given, inputOf(given));
      expect(isWhole(snapshot)).toBe(true);
      const text = `${JSON.stringify({ ...snapshot, version: "(hash)" }, null, 2)}\n`;
      expectGolden(join(folder, file.replace(".yaml", ".json")), text);
    });

    test(`${file} does not depend on any order of the input`, () => {
      const { version } = compile(given, inputOf(given));
      const shuffled = <Item>(items: readonly Item[]) =>
        fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length });
      fc.assert(
        fc.property(
          fc.record({
            documents: shuffled(given.documents),
            instances: shuffled(given.instances),
            services: shuffled(given.services),
            uses: shuffled(given.uses),
            deniedIds: shuffled(given.deniedIds ?? []),
            deniedSerials: shuffled(given.deniedSerials ?? []),
          }),
          (order) => compile({ ...given, ...order }, inputOf({ ...given, ...order })).version === version,
        ),
        { numRuns: 50 },
      );
    });
  }
});

test("the version changes with the content, and tells a snapshot that was tampered with", () => {
  const given = readCase("uses.yaml");
  const snapshot = compile(given, inputOf(given));
  const other = compile({ ...given, node: "vm-9" }, inputOf(given));
  expect(other.version).not.toBe(snapshot.version);
  expect(isWhole({ ...snapshot, node: "vm-9" })).toBe(false);
});
