/** `heddle policy new`: the first files of a policy, which check, pass and replay as they are. */
import type { Files } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { recordingFormat, type RecordedRequest, type RecordingHead } from "../model/recording.ts";
import { authorSettings } from "../policy/author_kit.ts";
import { policyNameForm } from "../policy/policy_meta.ts";
import { shippedPolicies } from "../policy/shipped.ts";
import { writeKit } from "./author_tools.ts";

export interface PolicyFolder {
  readonly folder: string;
  readonly written: readonly string[];
}

/** Nothing that is there is written over. Throws a UserError for a name that no policy can have, and for one that is there. */
export async function newPolicyFolder(files: Files, name: string, folder: string): Promise<PolicyFolder> {
  if (name.length > limits.policyNameLengthMax || !policyNameForm.test(name))
    throw new UserError(
      `Cannot call a policy "${name}": expected lower-case words joined by dashes, such as night-shift`,
    );
  if (shippedPolicies.has(name))
    throw new UserError(
      `Cannot call a policy "${name}": one of that name ships with heddle`,
      "heddle explain policies shows them: it may be what you need",
    );
  const file = name.replaceAll("-", "_");
  const path = `${folder}/policies/${file}.ts`;
  if ((await files.stat(path)) !== null) throw new UserError(`Cannot write ${path}: it is there already`);
  const texts: readonly (readonly [string, string])[] = [
    [`policies/${file}.ts`, policyText(name)],
    [`policies/${file}_test.ts`, testText(file)],
    [`recordings/${file}.jsonl`, sampleText(name)],
    ["tsconfig.json", authorSettings],
  ];
  const written: string[] = [];
  for (const below of ["policies", "recordings"]) await files.makeFolder(`${folder}/${below}`);
  for (const [below, text] of texts) {
    if ((await files.stat(`${folder}/${below}`)) !== null) continue;
    await files.writeAtomic(`${folder}/${below}`, text);
    written.push(`${folder}/${below}`);
  }
  await writeKit(files, folder);
  return { folder, written: [...written, `${folder}/.heddle (types for the editor)`] };
}

function policyText(name: string): string {
  return `/** What it is for, in a sentence. */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "${name}",
  version: "0.1.0",
  /** What a document says under \`with\`. */
  options: v.strictObject({
    header: v.optional(v.string(), "x-${name}"),
    status: v.optional(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)), 403),
  }),
  onError: "open",
  onRequest(request, context) {
    const { header, status } = context.options;
    if (request.headers.get(header) !== "stop") return next();
    return respond(status, \`\${header} says stop\`, "Stopped\\n");
  },
});
`;
}

function testText(file: string): string {
  const header = `x-${file.replaceAll("_", "-")}`;
  return `import { expect, test } from "bun:test";
import { PolicyUnderTest } from "heddle/policy/test";
import policy from "./${file}.ts";

test("lets a request go on", async () => {
  const h = new PolicyUnderTest(policy, {});
  expect(await h.request({ path: "/v1/items" })).toEqual({ do: "next" });
});

test("answers one that says stop, with the status of its options", async () => {
  const h = new PolicyUnderTest(policy, { status: 451 });
  const decision = await h.request({ path: "/v1/items", headers: ["${header}", "stop"] });
  expect(decision).toMatchObject({ do: "respond", status: 451 });
});
`;
}

/** Three requests, as `heddle policy record` writes them. */
function sampleText(name: string): string {
  const head: RecordingHead = {
    kind: "recording",
    format: recordingFormat,
    service: "orders.default",
    percent: 100,
  };
  const request = (at: number, method: string, target: string, fields: string[]): RecordedRequest => ({
    ...{
      kind: "request",
      key: `vm-1 ${at} r-${at}`,
      atMs: 1_764_547_200_000 + at * 10,
      method,
      target,
      fields,
    },
    ...{
      authority: "orders.mesh",
      sourceId: "spiffe://corp.example/ns/default/sa/web",
      requestId: `r-${at}`,
    },
    service: "orders.default",
  });
  const lines = [
    head,
    request(1, "GET", "/v1/items", ["accept", "application/json"]),
    request(2, "POST", "/v1/items", ["content-type", "application/json"]),
    request(3, "GET", "/v1/items?page=2", [`x-${name}`, "stop"]),
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}
