/** The log of a mode: a line of stderr for each thing said. */
import type { ProcessHost } from "../../runtime/contract.ts";
import { printable } from "../base/printable.ts";

/** Says something, as `who`. */
export function logAs(host: Pick<ProcessHost, "stderr">, who: string): (text: string) => void {
  return (text) => host.stderr(`${printable(`${who}: ${text}`)}\n`);
}
