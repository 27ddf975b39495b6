/** What every bundle of a policy is made with: the door for authors, the inner side and valibot, carried as text. */
import { embed } from "../../compile/embed.ts" with { type: "macro" };

/** Folder of the policy's own files inside a bundle. */
export const policyFolder = "/policy";

const entry = "/heddle/entry.ts";

const files: Readonly<Record<string, string>> = {
  "/heddle/sdk.ts": embed("src/policy/sdk.ts"),
  "/heddle/header_list.ts": embed("src/policy/header_list.ts"),
  "/heddle/query_list.ts": embed("src/policy/query_list.ts"),
  "/heddle/realm.ts": embed("src/policy/realm.ts"),
  "/heddle/valibot.js": embed("valibot"),
};

/** The script sets one global, `heddle`, for the worker to call. */
function entryFor(module: string): string {
  return `import { createRealm } from "./realm.ts";
import policy from ${JSON.stringify(module)};
globalThis.heddle = createRealm(policy);
`;
}

export const kit = {
  entry,
  names: { "heddle/policy": "/heddle/sdk.ts", valibot: "/heddle/valibot.js" },
  /** All files of the bundle of a policy whose own files are given by absolute path. */
  filesFor(module: string, own: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    return { ...own, ...files, [entry]: entryFor(`..${module}`) };
  },
} as const;
