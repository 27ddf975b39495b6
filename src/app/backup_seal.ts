/** A backup under a passphrase, or for the holders of keys: the format age-encryption.org/v1, which the program age opens too. */
import { problemOf } from "../base/result.ts";
import { UserError } from "../base/user_error.ts";

/** With what it is closed. Not both: the format has one passphrase or recipients. */
export type Seal =
  | { readonly kind: "passphrase"; readonly passphrase: string }
  | { readonly kind: "recipients"; /** `age1…` */ readonly recipients: readonly string[] };

/** With what it is opened. */
export type SealKey =
  | { readonly kind: "passphrase"; readonly passphrase: string }
  | { readonly kind: "identities"; /** Lines of a key file of age. */ readonly identities: string };

const opening = "age-encryption.org/v1\n";

export function isSealed(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, opening.length)) === opening;
}

export async function seal(bytes: Uint8Array, how: Seal): Promise<Uint8Array> {
  const { Encrypter } = await import("age-encryption");
  const encrypter = new Encrypter();
  if (how.kind === "passphrase") encrypter.setPassphrase(how.passphrase);
  else for (const recipient of how.recipients) add(recipient, () => encrypter.addRecipient(recipient));
  return encrypter.encrypt(bytes);
}

/** Throws a UserError where this opens it not, or it was changed since. */
export async function unseal(bytes: Uint8Array, file: string, how: SealKey): Promise<Uint8Array> {
  const { Decrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  if (how.kind === "passphrase") decrypter.addPassphrase(how.passphrase);
  else
    for (const line of how.identities.split("\n").map((each) => each.trim()))
      if (line !== "" && !line.startsWith("#"))
        add("a line of the key file", () => decrypter.addIdentity(line));
  try {
    return await decrypter.decrypt(bytes);
  } catch (error) {
    throw new UserError(
      `Cannot open ${file}: ${problemOf(error)}`,
      how.kind === "passphrase"
        ? "The passphrase is another one, or the file was damaged"
        : "It was made for other keys, or was damaged",
    );
  }
}

function add(what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new UserError(
      `Cannot use ${what}: ${problemOf(error)}`,
      "Expected age1… as recipient, AGE-SECRET-KEY-1… in a key file: age-keygen makes both",
    );
  }
}
