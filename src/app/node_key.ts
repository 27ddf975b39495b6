/** The key of this machine: made once and kept, it is how the machine is known. */
import type { Files } from "../../runtime/contract.ts";
import { readJson, writeSecret } from "../identity/credential_store.ts";
import { generateKey, type KeyPair } from "../identity/keys.ts";
import type { StateFolder } from "./state_folder.ts";

export async function nodeKey(files: Files, folder: StateFolder): Promise<KeyPair> {
  const path = `${folder.credentials}/node.key.json`;
  const standing = await readJson<KeyPair>(files, path);
  if (standing !== null) return standing;
  const made = generateKey();
  await writeSecret(files, path, made);
  return made;
}
