/** Calls of gRPC that the first of two apps answers with a status: sent again only where documents name it and the app tells repeats. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import type { Retries, TrafficTraits } from "../../../src/model/traffic.ts";
import { CutScene, said, speeches, type Speech } from "../../support/cut_scene.ts";
import { concat, data, headers, settings, type FieldList } from "../../support/h2_frames.ts";

const speech = speeches["gRPC"] as Speech;
const head: FieldList = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
const status = (code: number): FieldList => [["grpc-status", String(code)]];
const statusAlone = (code: number, more: FieldList = []): Uint8Array =>
  concat(settings(), headers(1, [...head, ...status(code), ...more]));
const statusBehind = (code: number, ...messages: readonly string[]): Uint8Array =>
  concat(
    settings(),
    headers(1, head, false),
    ...messages.map((message) => data(1, message)),
    headers(1, status(code)),
  );

interface Seen {
  readonly begun: number;
  /** The status that the caller got. */
  readonly status: string;
  readonly body: string;
  readonly tookMs: number;
  readonly results: readonly string[];
}

async function call(instead: Uint8Array, retries: Retries, more: TrafficTraits = {}): Promise<Seen> {
  const scene = await new CutScene(speech, false, { ...more, retries }).start();
  const { heard, begun } = await scene.call("POST", {
    ...{ of: "answer", after: instead.length, by: "silence", instead },
  });
  const record = scene.caller.records.of("outbound")[0];
  const trailer = heard.trailers?.find(([name]) => name === "grpc-status")?.[1];
  return {
    begun,
    status: trailer ?? heard.answer?.fields.get("grpc-status") ?? "",
    body: heard.body,
    tookMs: (record?.firstByteMs ?? 0) - (record?.startedMs ?? 0),
    results: record?.attempts.map(({ result }) => result) ?? [],
  };
}

const unavailable = { grpc: ["UNAVAILABLE"], idempotent: true } as const;

describe("a call that an app answers with UNAVAILABLE alone", () => {
  test("is sent again where documents say so", async () => {
    const seen = await call(statusAlone(14), unavailable);
    expect(seen).toMatchObject({ begun: 2, status: "0", body: said, results: ["grpc 14", "ok"] });
  });

  for (const [name, retries] of [
    ["the status is not named", { grpc: ["INTERNAL"], idempotent: true }],
    ["nobody says that the app tells repeats", { grpc: ["UNAVAILABLE"] }],
    ["there are no attempts", { ...unavailable, attempts: 0 }],
  ] as const)
    test(`is not where ${name}`, async () => {
      expect(await call(statusAlone(14), retries)).toMatchObject({ begun: 1, status: "14" });
    });

  test("is not where the answer asks for none", async () => {
    for (const pushback of ["-1", "never"]) {
      const answer = statusAlone(14, [["grpc-retry-pushback-ms", pushback]]);
      expect(await call(answer, unavailable)).toMatchObject({ begun: 1, status: "14" });
    }
  });

  test("is sent again after the pause that the answer asks for, unless that is too long", async () => {
    const asking = (ms: number): Uint8Array => statusAlone(14, [["grpc-retry-pushback-ms", String(ms)]]);
    const seen = await call(asking(200), unavailable);
    expect(seen).toMatchObject({ begun: 2, status: "0" });
    expect(seen.tookMs).toBeGreaterThanOrEqual(200);
    const unbounded = { timeouts: { requestMs: 0 } };
    const long = await call(asking(limits.retryPushbackMaxMs + 1), unavailable, unbounded);
    expect(long).toMatchObject({ begun: 1, status: "14" });
  });
});

test("a status behind an answer that has begun is the caller's", async () => {
  const statusBefore = concat(
    settings(),
    headers(1, [...head, ...status(14)], false),
    data(1, "m"),
    headers(1, status(14)),
  );
  for (const answer of [statusBehind(14), statusBehind(14, "m"), statusBefore])
    expect(await call(answer, unavailable)).toMatchObject({ begun: 1, status: "14" });
});

test("DEADLINE_EXCEEDED of an app is no failure of it where its caller gave it little time, and one where it gave it none", async () => {
  for (const [fields, streak] of [
    [["grpc-timeout: 200m"], 0],
    [[], 1],
  ] as const)
    for (const answer of [statusAlone(4), statusBehind(4)]) {
      const scene = await new CutScene(speech, false).start();
      await scene.call(
        "POST",
        { of: "answer", after: answer.length, by: "silence", instead: answer },
        fields,
      );
      const web = scene.caller.plane.state?.destinations.get("web.default");
      const streaks = [...(web?.endpoints.values() ?? [])].map(({ health }) => health.streak);
      expect(Math.max(...streaks)).toBe(streak);
    }
});
