/** Traffic that was recorded, and a policy that is asked about it again. */
import { afterAll, describe, expect, test } from "bun:test";
import { parse } from "yaml";
import type { Clock } from "../../../runtime/contract.ts";
import { recordAnswering } from "../../../src/app/record_answer.ts";
import { recordingOf, type Recording } from "../../../src/app/recording_file.ts";
import { replay } from "../../../src/app/replay.ts";
import type { StoredPolicy } from "../../../src/controller/catalog.ts";
import { createPolicyBundler } from "../../../src/controller/policies.ts";
import { recordingFormat, type RecordingLine } from "../../../src/model/recording.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import type { LaterHooks } from "../../../src/policy/later_hooks.ts";
import type { PolicyCall } from "../../../src/policy/policy_call.ts";
import { shippedPolicies } from "../../../src/policy/shipped.ts";
import { createPolicyHost } from "../../../src/policy/policy_host.ts";
import { HeadFields } from "../../../src/wire/head_fields.ts";
import { testMs } from "../../support/patience.ts";
import { runtime } from "../../support/runtime_under_test.ts";

const bundler = createPolicyBundler(runtime);
afterAll(() => bundler.close());

/** A proxy's clock whose time since 1970 a test sets. */
class SetClock {
  nowMs = 1_764_547_200_000;
  readonly clock: Clock = Object.assign(Object.create(runtime.clock) as Clock, { wallMs: () => this.nowMs });
}

const head = JSON.stringify({
  kind: "recording",
  format: recordingFormat,
  service: "orders.default",
  percent: 100,
});
const asRecording = (lines: readonly RecordingLine[]): Recording =>
  recordingOf("x.jsonl", [head, ...lines.map((line) => JSON.stringify(line))].join("\n"));

/** Beside the fields that policies go by in their examples. */
const sometimes = ["x-user-group", "x-chaos", "origin", "idempotency-key", "cookie", "grpc-timeout"];

function requestOf(at: number, hook: PolicyCall["hook"] = "onRequest"): PolicyCall {
  const known = sometimes.flatMap((name, place) =>
    (at + place) % 3 === 0 ? [name, at % 2 === 0 ? "on" : `v${at % 7}`] : [],
  );
  const flat = [
    "x-user",
    `u${at % 7}`,
    "x-tenant",
    `t${at % 3}`,
    "authorization",
    `Bearer ${at % 2}`,
    ...known,
  ];
  const fields = {
    count: flat.length / 2,
    nameAt: (n: number) => flat[2 * n] ?? "",
    valueAt: (n: number) => flat[2 * n + 1] ?? "",
  };
  return {
    ...{ hook, method: at % 4 === 0 ? "POST" : "GET", authority: "orders.mesh", fields },
    ...{ target: `/v1/items?page=${at}&token=s3cret`, sourceId: `spiffe://a/${at % 5}` },
    ...{ service: { name: "orders", namespace: "default" }, requestId: `r-${at}` },
    ...{ deadlineMs: 500 + (at % 400), address: `10.0.0.${at % 5}` },
  };
}

const endpoints = ["a", "b", "c"].map((id, at) => ({
  ...{ id, weight: 1, zone: `eu-1${id}`, labels: {}, inflight: at, ewmaMs: at },
}));

/** What a proxy with this policy tells while it serves so many requests, three of them at a time. */
async function recorded(policy: StoredPolicy, options: Record<string, unknown>, count: number) {
  const { clock, ...time } = new SetClock();
  const { process, random } = runtime;
  const host = createPolicyHost({ process, clock, random, report: () => {} });
  host.load(policy, policy.text);
  await host.describe(policy.hash);
  const chain = createPolicyChain(host, clock);
  const lines: RecordingLine[] = [];
  const reply = { line: (line: unknown) => void lines.push(line as RecordingLine), lost() {}, end() {} };
  const question = {
    what: "record",
    service: "orders.default",
    percent: 100,
    salt: "0123456789abcdef",
  } as const;
  const stop = recordAnswering(chain, clock)(question, reply);
  const binding = { hash: policy.hash, name: policy.name, options, hooks: policy.hooks ?? [] };
  const first = policy.hooks?.includes("onConnection") === true ? "onConnection" : "onRequest";
  const set = time as { nowMs: number };
  for (let at = 0; at < count; at += 3) {
    Object.assign(clock, { wallMs: () => set.nowMs + at * 40 });
    const these = [at, at + 1, at + 2].filter((each) => each < count);
    const under = these.map(async (each) => {
      const later = await new Promise<LaterHooks | undefined>((resolve) =>
        chain.evaluate([binding], requestOf(each, first), (verdict) => resolve(verdict.later), {
          has: () => true,
          read: (_, target) => target,
        }),
      );
      if (later === undefined) return;
      if (later.has("pick")) await new Promise<void>((resolve) => later.pick(endpoints, () => resolve()));
      const answer = { status: 200, fields: new HeadFields(), endpoint: "b", ms: 3, instanceMs: 2 };
      if (later.has("onResponse"))
        await new Promise<void>((resolve) => later.answered(answer, () => resolve()));
      later.ended({
        ...{ status: 200, flag: "", bytesIn: 0, bytesOut: 1, ms: 2 },
        ttfbMs: 1,
        endpoint: "b",
        retries: 0,
      });
    });
    await Promise.all(under);
  }
  stop?.();
  host.close();
  return lines.map((line) => (line.kind === "binding" ? line : { ...line, key: `vm-1 ${line.key}` }));
}

/**
 * All that ship, with the options of their examples, but those that decide by what is in no recording: a token, which is secret; what
 * another service or the whole mesh said; connections.
 */
const unrecorded = ["jwt", "ext-authz", "global-rate-limit", "connection-limit"];
const names = [...shippedPolicies.keys()].filter((name) => !unrecorded.includes(name));

/** Of each; `HEDDLE_REPLAY_REQUESTS=100000` asks more, for as long as that takes. */
const requestsOfEach = Number(process.env["HEDDLE_REPLAY_REQUESTS"] ?? 300);

const uses = names.map((name): [string, Record<string, unknown>] => {
  const text = shippedPolicies.get(name)?.text ?? "";
  const yaml = /```yaml\n([\s\S]*?)```/.exec(text)?.[1]?.replace(/^ \* ?/gm, "") ?? "";
  const { policies = [] } = parse(yaml) as {
    readonly policies?: readonly { with?: Record<string, unknown> }[];
  };
  return [name, policies[0]?.with ?? {}];
});

async function policyNamed(name: string): Promise<StoredPolicy> {
  const { policies } = await bundler.bundle([], new Set([name]));
  return policies.find((each) => each.name === name) as StoredPolicy;
}

describe("a recording", () => {
  for (const [name, options] of uses)
    test(
      `of ${name} gives every decision again that was taken`,
      async () => {
        const policy = await policyNamed(name);
        const recording = asRecording(await recorded(policy, options, requestsOfEach));
        expect(recording.requests.size).toBe(requestsOfEach);
        const replayed = await replay(runtime, policy, recording, null);
        expect(replayed).toMatchObject({ requests: requestsOfEach, changes: [], changed: 0 });
        expect(replayed.compared).toBe(true);
      },
      testMs,
    );

  test(
    "shows what other options would change, with an example and where it leads",
    async () => {
      const policy = await policyNamed("rate-limit");
      const options = { limit: 1000, within: "1s" };
      const recording = asRecording(await recorded(policy, options, 60));
      const replayed = await replay(runtime, policy, recording, { limit: 1, within: "1h" });
      expect(replayed.changed).toBe(55);
      const [change] = replayed.changes;
      expect(change).toMatchObject({
        hook: "onRequest",
        from: "goes on",
        to: "answered 429: more than 1 within 1h",
      });
      expect(change?.examples[0]).toContain("GET /v1/items?page=5&token=redacted-");
    },
    testMs,
  );

  test("without decisions of a policy that does not look at requests is refused", async () => {
    const policy = await policyNamed("zone-prefer");
    const recording = asRecording(await recorded(await policyNamed("maintenance"), {}, 3));
    expect(replay(runtime, policy, recording, null)).rejects.toThrow("has no onRequest");
  });

  test("has no value that is secret by its name, and the same word where it is the same", async () => {
    const policy = await policyNamed("maintenance");
    const lines = await recorded(policy, {}, 6);
    const text = JSON.stringify(lines);
    expect(text).not.toContain("Bearer");
    expect(text).not.toContain("s3cret");
    const words = new Set(text.match(/redacted-[0-9a-f]{16}/g));
    // Two credentials, one word of a query, two cookies, two keys of which one is as a cookie is.
    expect(words.size).toBe(6);
  });

  test("that cannot be read is refused at its line, with what was expected", () => {
    const wrong = (text: string) => () => recordingOf("x.jsonl", text);
    expect(wrong("")).toThrow("Cannot use x.jsonl: it is empty");
    expect(wrong("{}")).toThrow("x.jsonl:1: it is no recording");
    expect(wrong('{"kind":"recording","format":9}')).toThrow("format is 9: this heddle reads 1");
    expect(wrong(`${head}\n\n{"kind":"request","key":"a"}`)).toThrow(
      "x.jsonl:3: atMs is missing or no number",
    );
    expect(wrong(`${head}\n{"kind":"thing"}`)).toThrow('kind is "thing": expected binding, request, answer');
    expect(wrong(`${head}\nnonsense`)).toThrow("x.jsonl:2: it is no object of JSON");
  });
});
