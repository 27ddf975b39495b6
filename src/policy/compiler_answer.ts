/**
 * What the sealed compiler says is data of a stranger: it had the authors' texts in hand. Each frame is read by a schema, in
 * bounds, about files of this push alone; what does not fit throws, and the whole answer is worth nothing.
 */
import * as v from "valibot";
import { limits } from "../model/limits.ts";
import type { BundleAnswer, PolicyScript } from "./bundle.ts";
import { hooks } from "./hooks.ts";
import { policyNameForm } from "./policy_meta.ts";
import type { PolicySource } from "./policy_source.ts";
import { frameKinds } from "./protocol.ts";
import { ownSupport } from "./support.ts";

const count = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most));
const text = (most: number) => v.pipe(v.string(), v.nonEmpty(), v.maxLength(most));

const bodyBytes = v.exactOptional(
  v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(limits.policyBodyBytesMax)),
);

const metaSchema = v.strictObject({
  name: v.pipe(text(limits.policyNameLengthMax), v.regex(policyNameForm)),
  version: text(limits.policyVersionLengthMax),
  api: v.pipe(v.number(), v.integer(), v.minValue(ownSupport.apiOldest), v.maxValue(ownSupport.apiNewest)),
  onError: v.picklist(["open", "closed"]),
  cpuMs: v.pipe(v.number(), v.minValue(1), v.maxValue(limits.policyCpuMaxMs)),
  waitMs: v.pipe(v.number(), v.minValue(1), v.maxValue(limits.policyWaitMaxMs)),
  hooks: v.pipe(v.array(v.picklist(hooks)), v.maxLength(hooks.length)),
  bodies: v.exactOptional(v.strictObject({ request: bodyBytes, response: bodyBytes })),
});

function scriptSchema(files: readonly string[]) {
  return v.strictObject({
    file: v.picklist(files),
    text: text(limits.policyBundleBytesMax * 2),
    meta: metaSchema,
  });
}

function issuesSchema(sources: readonly PolicySource[]) {
  const issue = v.strictObject({
    file: v.picklist(sources.map((each) => each.file)),
    line: count(limits.policyBundleBytesMax),
    column: count(limits.policyBundleBytesMax),
    severity: v.literal("error"),
    message: text(limits.policyIssueLengthMax),
  });
  return v.pipe(v.array(issue), v.maxLength(limits.policyIssuesMax));
}

/** Takes the frames of one answer; throws at the first that is none. */
export class CompilerAnswer {
  /** The source that is worked on. */
  file: string;
  readonly #sources: readonly PolicySource[];
  readonly #scripts: PolicyScript[] = [];

  constructor(sources: readonly PolicySource[]) {
    this.#sources = sources;
    this.file = sources[0]?.file ?? "";
  }

  /** The answer, when this was its last frame. */
  take(kind: number, number: number, json: string): BundleAnswer | null {
    switch (kind) {
      case frameKinds.compiling:
        this.file = this.#sourceAt(number).file;
        return null;
      case frameKinds.compiled: {
        this.#sourceAt(this.#scripts.length);
        const files = this.#sources.map((each) => each.file);
        this.#scripts.push(v.parse(scriptSchema(files), JSON.parse(json)));
        return null;
      }
      case frameKinds.compiledAll:
        return this.#whole(number, v.parse(issuesSchema(this.#sources), JSON.parse(json)));
    }
    throw new Error(`frame ${kind} is none of a compiler`);
  }

  #sourceAt(index: number): PolicySource {
    const source = this.#sources[index];
    if (source === undefined) throw new Error(`there is no source ${index}`);
    return source;
  }

  #whole(scripts: number, issues: BundleAnswer["issues"]): BundleAnswer {
    const files = new Set(this.#scripts.map((each) => each.file));
    const names = new Set(this.#scripts.map((each) => each.meta.name));
    if (scripts !== this.#scripts.length || files.size !== scripts || names.size !== scripts)
      throw new Error("its scripts are not one for each policy");
    if (scripts > 0 && issues.length > 0) throw new Error("it gave both scripts and issues");
    return { scripts: this.#scripts, issues };
  }
}
