/** What this machine is called in its mesh. */
import { UserError } from "../base/user_error.ts";
import { isName } from "../identity/spiffe_id.ts";
import type { MachineDocument } from "../model/document.ts";

/** By the flag, or by the name of its document (both may say the same), else by its host name. */
export function nameOfMachine(flag: string | null, { name }: MachineDocument, hostname: string): string {
  if (flag !== null && name !== "" && flag !== name)
    throw new UserError(
      `Cannot name this machine "${flag}": its Machine document calls it "${name}"`,
      "Leave --node away, or mend name: in the document",
    );
  const chosen = flag ?? (name === "" ? hostname : name);
  if (isName(chosen)) return chosen;
  throw new UserError(
    `Cannot name this machine "${chosen}": expected lower-case letters, digits and '-'`,
    "Choose one with --node NAME",
  );
}
