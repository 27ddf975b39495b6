/** The policies that ship with heddle, from the words at the top of each. */
import { hooks } from "../../policy/hooks.ts";
import { shippedPolicies } from "../../policy/shipped.ts";
import type { Chapter, Entry } from "./chapter.ts";

/** Names that people look for among policies, and what does it: what the mesh has built in is not written again. */
const builtIn: readonly (readonly [name: string, instead: string, why: string])[] = [
  [
    "request-hedging",
    "`hedging: {delay: p95}` of Traffic or Mesh; for some requests alone the policy `retry-policy`",
    "the second request is sent and paid for where attempts are made, from the budget of retries",
  ],
  [
    "traffic-mirror",
    "`mirror` of a rule of HTTPRoute; by method or by user the policy `mirror`",
    "copies have bounds of their own, which no policy could keep",
  ],
  [
    "priority-shed",
    "`priority` of a rule of HTTPRoute, and `priority: {callers}` of Traffic for what callers may claim",
    "what is shed depends on how long work waits in the whole proxy, which a policy does not see",
  ],
  [
    "access-explain",
    "`heddle why REQUEST-ID` for each request, `mode: audit` of Access to try rules, the policy `access-audit` for a record of its own",
    "the rules that decided are known where they are asked",
  ],
  [
    "response-cache",
    "an HTTP cache as a service of its own, which a route leads to",
    "a cache keeps bodies of every type and length within one bound of memory; policies see JSON of 128 KiB at most, parsed",
  ],
  [
    "geo-allow",
    "the policy `ip-allow` with the networks of a country",
    "heddle ships no database of addresses: they change weekly, and a stale one shuts out the wrong people",
  ],
];

function insteadOf([name, instead, why]: (typeof builtIn)[number]): Entry {
  const facts = [["instead", instead] as const, ["why", why] as const];
  return { name, summary: "No policy: the mesh has it built in, or another policy does it", facts, code: "" };
}

export function shippedChapter(): Chapter {
  return {
    name: "policies",
    title: "Policies that ship with heddle",
    language: "yaml",
    intro: [
      "Documents use them by their names, without any file. Each is one module of `policies/` in heddle's repository, written against the SDK alone: where one does nearly what is wanted, copy it into your own `policies/` and change it; yours takes its place.",
    ],
    entries: [
      ...[...shippedPolicies].map(([name, { text }]) => entryOf(name, text)),
      ...builtIn.map(insteadOf),
    ],
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
