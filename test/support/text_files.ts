/** Files that a test makes up, for what reads those of the system. */
import type { Files } from "../../runtime/contract.ts";

/** By path. One that says `denied` may not be read. */
export function filesOf(texts: Readonly<Record<string, string>>): Pick<Files, "readSync"> {
  return {
    readSync(path) {
      const text = texts[path];
      if (text === "denied") throw new Error("EACCES");
      return text === undefined ? null : new TextEncoder().encode(text);
    },
  };
}
