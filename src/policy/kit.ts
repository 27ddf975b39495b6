/** What every bundle of a policy is made with: the SDK for authors, the inner side and valibot, carried as text. */
import { embed } from "../../compile/embed.ts" with { type: "macro" };
import type { BundleFile } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { RealmBounds } from "./call_context.ts";
import type { PolicyMeta } from "./policy_meta.ts";

/** Folder of the policy's own files inside a bundle. */
const folder = "/policy";

const entry = "/heddle/entry.ts";

/** The SDK and the inner side, by their path in a bundle. */
export const typescript: Readonly<Record<string, string>> = {
  "/heddle/base64.ts": embed("src/policy/base64.ts"),
  "/heddle/call_context.ts": embed("src/policy/call_context.ts"),
  "/heddle/header_list.ts": embed("src/policy/header_list.ts"),
  "/heddle/hooks.ts": embed("src/policy/hooks.ts"),
  "/heddle/local_counter.ts": embed("src/policy/local_counter.ts"),
  "/heddle/percent.ts": embed("src/policy/percent.ts"),
  "/heddle/query_list.ts": embed("src/policy/query_list.ts"),
  "/heddle/realm.ts": embed("src/policy/realm.ts"),
  "/heddle/realm_places.ts": embed("src/policy/realm_places.ts"),
  "/heddle/sdk.ts": embed("src/policy/sdk.ts"),
  "/heddle/sha256.ts": embed("src/policy/sha256.ts"),
  "/heddle/text_codec.ts": embed("src/policy/text_codec.ts"),
  "/heddle/sdk_bodies.ts": embed("src/policy/sdk_bodies.ts"),
  "/heddle/seen_body.ts": embed("src/policy/seen_body.ts"),
  "/heddle/sdk_calls.ts": embed("src/policy/sdk_calls.ts"),
  "/heddle/sdk_decisions.ts": embed("src/policy/sdk_decisions.ts"),
  "/heddle/url.ts": embed("src/policy/url.ts"),
  "/heddle/url_host.ts": embed("src/policy/url_host.ts"),
  "/heddle/url_params.ts": embed("src/policy/url_params.ts"),
  "/heddle/waits.ts": embed("src/policy/waits.ts"),
  "/heddle/want.ts": embed("src/policy/want.ts"),
};

export const javascript: Readonly<Record<string, string>> = {
  "/heddle/valibot.js": embed("valibot"),
};

const realmBounds: RealmBounds = {
  counterKeysMax: limits.policyCounterKeysMax,
  scratchesMax: limits.policyScratchesMax,
  notesMax: limits.policyNotesMax,
  waitsMax: limits.policyWaitsMax,
};

/**
 * The script sets one global, `heddle`, for the worker to call. A policy that says other things of itself than were read from
 * its source does not load.
 */
function entryFor(module: string, { name, version, onError, hooks, bodies = {} }: PolicyMeta): string {
  const reads = [bodies.request !== undefined, bodies.response !== undefined];
  const read = JSON.stringify([name, version, onError, hooks, reads]);
  return `import { hooks } from "./hooks.ts";
import { createRealm } from "./realm.ts";
import policy from ${JSON.stringify(module)};
const says = JSON.stringify([policy.name, policy.version, policy.onError, hooks.filter((hook) => policy[hook] !== undefined),
  [policy.uses?.requestJson === true, policy.uses?.responseJson === true]]);
if (says !== ${JSON.stringify(read)}) throw new Error("Its source reads " + ${JSON.stringify(read)} + ", it says " + says);
globalThis.heddle = createRealm(policy, ${JSON.stringify(realmBounds)});
`;
}

function filesOf(texts: Readonly<Record<string, string>>, language: BundleFile["language"]) {
  return Object.fromEntries(Object.entries(texts).map(([path, text]) => [path, { text, language }]));
}

export const kit = {
  entry,
  names: { "heddle/policy": "/heddle/sdk.ts", valibot: "/heddle/valibot.js" },
  /** What the kit's own files use, after asking whether it exists, and no author may. */
  uses: new Set(["constructor", "TextEncoder", "Intl", "URL", "Blob", "File"]),
  /** Name of a source that is the author's; null for one of the kit. */
  authorFile(source: string): string | null {
    const at = source.indexOf(`${folder}/`);
    return at < 0 ? null : source.slice(at + folder.length + 1);
  },
  /** All files of the bundle of one policy. `own` are the author's, in plain JavaScript. */
  filesFor(
    file: string,
    meta: PolicyMeta,
    own: Readonly<Record<string, string>>,
  ): Readonly<Record<string, BundleFile>> {
    const below = Object.fromEntries(Object.entries(own).map(([name, text]) => [`${folder}/${name}`, text]));
    return {
      ...filesOf(below, "js"),
      ...filesOf(javascript, "js"),
      ...filesOf({ ...typescript, [entry]: entryFor(`..${folder}/${file}`, meta) }, "ts"),
    };
  },
} as const;
