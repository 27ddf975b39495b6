/** The policies that ship with heddle, from the words at the top of each. */
import { hooks } from "../../policy/hooks.ts";
import { shippedPolicies } from "../../policy/shipped.ts";
import type { Chapter, Entry } from "./chapter.ts";

export function shippedChapter(): Chapter {
  return {
    name: "policies",
    title: "Policies that ship with heddle",
    language: "yaml",
    intro: [
      "Documents use them by their names, without any file. Each is one module of `policies/` in heddle's repository, written against the SDK alone: where one does nearly what is wanted, copy it into your own `policies/` and change it; yours takes its place.",
    ],
    entries: [...shippedPolicies].map(([name, { text }]) => entryOf(name, text)),
  };
}

function entryOf(name: string, text: string): Entry {
  const words = (/^\/\*\*\n([\s\S]*?)\n \*\//.exec(text)?.[1] ?? "").replace(/^ \* ?/gm, "");
  const [before = "", example = "", after = ""] = words.split("```").map((part) => part.trim());
  const asked = hooks.filter((hook) => new RegExp(`^ {2}${hook}\\(`, "m").test(text));
  const onError = /^ {2}onError: "(\w+)"/m.exec(text)?.[1] ?? "";
  const more = after.replaceAll(/\s+/g, " ").replace(/\.$/, "");
  return {
    name,
    summary: before.replaceAll(/\s+/g, " ").replace(/\.$/, ""),
    facts: [
      ["asked at", asked.join(", ")],
      ["when it fails", onError === "closed" ? "answers 503" : "the request goes on"],
      ...(more === "" ? [] : [["beside", more] as const]),
    ],
    code: example.replace(/^yaml\n/, ""),
  };
}
