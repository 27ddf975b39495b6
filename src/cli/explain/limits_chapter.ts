/** Every bound by its name, with the value it has and the words that stand beside it in `model/limits.ts`. */
import { embed } from "../../../compile/embed.ts" with { type: "macro" };
import { formatDuration } from "../../base/duration.ts";
import { limits } from "../../model/limits.ts";
import type { Chapter, Entry } from "./chapter.ts";

const source = embed("src/model/limits.ts");
const values: Readonly<Record<string, unknown>> = limits;

export function limitsChapter(): Chapter {
  return {
    name: "limits",
    title: "Every bound, by the name it has in metrics, logs and errors",
    intro: ["heddle_limit_trips_total counts by `limit` and `listener` what was ended, refused or slowed."],
    entries: readLimits(source),
  };
}

/** In the order of the source, one per line that names a limit. */
function readLimits(text: string): Entry[] {
  const entries: Entry[] = [];
  let section = "";
  let words: string[] = [];
  for (const line of text.slice(text.indexOf("export const limits")).split("\n")) {
    const heading = /^ {2}\/\/ (.*)$/.exec(line)?.[1];
    const comment = /^ {2}\/?\*?\* ?(.*?)(?: ?\*\/)?$/.exec(line.replace(/^ {3}\*/, "  *"))?.[1];
    const name = /^ {2}([a-z]\w*):/.exec(line)?.[1];
    if (heading !== undefined) section = heading;
    else if (name !== undefined) {
      entries.push(entryOf(name, section, words.join(" ").trim()));
      words = [];
    } else if (comment !== undefined && comment !== "/") words.push(comment);
    if (line.startsWith("}")) break;
  }
  return entries;
}

function entryOf(name: string, section: string, words: string): Entry {
  const value = valueOf(name, values[name]);
  const said = words.replace(/\.$/, "");
  const summary = section === "" ? said : `${section}: ${said}`;
  return { name, summary, facts: [["value", value]], code: "" };
}

function valueOf(name: string, value: unknown): string {
  if (typeof value !== "number") return JSON.stringify(value);
  if (/Ms(?:Max|Min)?$/.test(name)) return formatDuration(value);
  if (/Bytes(?:Max|Min)?$/.test(name)) return bytesText(value);
  return String(value);
}

function bytesText(bytes: number): string {
  const kib = 1024;
  const mib = kib * kib;
  if (bytes >= mib && bytes % mib === 0) return `${bytes / mib} MiB`;
  return bytes >= kib && bytes % kib === 0 ? `${bytes / kib} KiB` : `${bytes} bytes`;
}
