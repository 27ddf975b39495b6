/** When a failed request is sent again: each rule alone, and all together never twice what may not be. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decideRetry,
  type FailedAttempt,
  type RetryDecision,
} from "../../../../src/proxy/retry/retry_decision.ts";
import { limits } from "../../../../src/model/limits.ts";
import { retryDefaults, type RetryCause } from "../../../../src/proxy/retry/retry_rules.ts";
import type { Pushback } from "../../../../src/proxy/retry/backoff.ts";

const refused: FailedAttempt = {
  cause: "connect",
  status: 0,
  grpc: -1,
  repeat: "yes",
  idempotent: false,
  replayable: true,
  answered: false,
  attempts: 1,
  refusedBefore: 0,
  repeated: false,
  forbidden: false,
  pushback: null,
  leftMs: Infinity,
  usualMs: null,
  elsewhere: true,
};

function decide(changes: Partial<FailedAttempt>, budget = 1, unit = 0.5): RetryDecision {
  const tools = { unit: () => unit, takeBudget: () => budget-- > 0 };
  return decideRetry({ ...refused, ...changes }, retryDefaults, tools);
}

describe("a request is sent again", () => {
  test("at once elsewhere when no connection could be made, whatever its method", () => {
    expect(decide({})).toBe(0);
  });

  test("after a jittered wait when it goes to the same endpoint, or was reset", () => {
    expect(decide({ elsewhere: false })).toBe(12.5);
    expect(decide({ cause: "reset", repeat: "idempotent", idempotent: true })).toBe(12.5);
  });

  test("by a server that did not begin it, some times without being counted or paid for", () => {
    const attempts = retryDefaults.attemptsMax;
    for (let refusedBefore = 0; refusedBefore < limits.refusedFreeMax; refusedBefore++)
      expect(decide({ cause: "refused", attempts: attempts + refusedBefore, refusedBefore }, 0)).toBe(0);
    const often = { cause: "refused", refusedBefore: limits.refusedFreeMax } as const;
    expect(decide({ ...often, attempts: attempts + limits.refusedFreeMax })).toBe("attempts");
    expect(decide({ ...often, attempts: limits.refusedFreeMax + 1 }, 0)).toBe("budget");
    expect(decide({ ...often, attempts: limits.refusedFreeMax + 1 }, 1)).toBe(0);
    expect(decide({ cause: "reset", repeat: "yes", attempts: 1 + attempts, refusedBefore: 2 })).toBe(50);
  });

  test("after as long as the server asks for", () => {
    expect(decide({ cause: "reset", pushback: 700 })).toBe(700);
  });

  test("when its deadline leaves as much as half of the answers take", () => {
    expect(decide({ pushback: 100, leftMs: 200, usualMs: 100 })).toBe(100);
  });
});

describe("a request is not sent again", () => {
  const cases: readonly [string, Partial<FailedAttempt>, RetryDecision][] = [
    ["once a part of an answer has gone out", { answered: true }, "answered"],
    ["for a status of gRPC unless the route says so", { cause: "status", status: 200, grpc: 14 }, "cause"],
    ["for a status unless the route says so", { cause: "status", status: 503 }, "cause"],
    ["when the server may have acted on it and it must not happen twice", { repeat: "idempotent" }, "unsafe"],
    ["when nothing says that it is safe", { repeat: "no", idempotent: true }, "unsafe"],
    ["when its body is gone", { replayable: false }, "body"],
    ["more often than allowed", { attempts: 2 }, "attempts"],
    ["by a second layer", { repeated: true }, "layer"],
    ["when the server forbids it", { forbidden: true }, "forbidden"],
    ["when gRPC pushback says never", { pushback: "never" }, "forbidden"],
    ["when the server asks to wait past the deadline", { pushback: 700, leftMs: 700 }, "deadline"],
    [
      "when half of the answers take longer than its deadline leaves after the wait",
      { pushback: 100, leftMs: 199, usualMs: 100 },
      "short-deadline",
    ],
    [
      "when the server asks for a pause that is too long",
      { pushback: limits.retryPushbackMaxMs + 1 },
      "forbidden",
    ],
  ];
  for (const [name, changes, refusal] of cases)
    test(name, () => {
      let asked = 0;
      const tools = { unit: () => 0.5, takeBudget: () => ++asked > 0 };
      expect(decideRetry({ ...refused, ...changes }, retryDefaults, tools)).toBe(refusal);
      // What is not sent costs nothing of the budget.
      expect(asked).toBe(0);
    });

  test("when the budget is used up", () => {
    expect(decide({}, 0)).toBe("budget");
  });
});

test("whatever happens, only what is safe, whole, first of its layer, in time and paid for is sent again", () => {
  const attempt: fc.Arbitrary<FailedAttempt> = fc.record({
    cause: fc.constantFrom<RetryCause>("connect", "refused", "reset", "status", "timeout"),
    grpc: fc.constantFrom(-1, 0, 8, 14),
    status: fc.constantFrom(0, 200, 429, 500, 502, 503, 504),
    repeat: fc.constantFrom("no", "yes", "idempotent"),
    idempotent: fc.boolean(),
    replayable: fc.boolean(),
    answered: fc.boolean(),
    attempts: fc.integer({ min: 1, max: 6 }),
    refusedBefore: fc.nat(5),
    repeated: fc.boolean(),
    forbidden: fc.boolean(),
    pushback: fc.constantFrom<Pushback | null>(null, "never", 0, 100, 300_000),
    leftMs: fc.constantFrom(0, 10, 50, 1_000, Infinity),
    usualMs: fc.constantFrom(null, 0, 5, 400),
    elsewhere: fc.boolean(),
  });
  const rules = fc.record({
    attemptsMax: fc.integer({ min: 1, max: 4 }),
    causes: fc
      .subarray<RetryCause>(["connect", "refused", "reset", "status", "timeout"])
      .map((causes) => new Set(causes)),
    statuses: fc.subarray([429, 500, 502, 503, 504]).map((statuses) => new Set(statuses)),
    grpc: fc.subarray([8, 14]).map((codes) => new Set(codes)),
    backoffMs: fc.nat(50),
    backoffMaxMs: fc.nat(500),
    backoffMinMs: fc.nat(20),
  });
  fc.assert(
    fc.property(attempt, rules, fc.boolean(), (failed, chosen, paid) => {
      fc.pre(failed.refusedBefore < failed.attempts);
      const decision = decideRetry(failed, chosen, { unit: () => 0.9, takeBudget: () => paid });
      if (typeof decision !== "number") return;
      const isFree = failed.cause === "refused" && failed.refusedBefore < limits.refusedFreeMax;
      expect(
        (paid || isFree) && failed.replayable && !failed.answered && !failed.repeated && !failed.forbidden,
      ).toBe(true);
      expect(failed.repeat === "yes" || (failed.repeat === "idempotent" && failed.idempotent)).toBe(true);
      expect(failed.attempts).toBeLessThan(chosen.attemptsMax + limits.refusedFreeMax);
      expect(decision).toBeLessThan(failed.leftMs);
      expect(failed.leftMs - decision).toBeGreaterThanOrEqual(failed.usualMs ?? 0);
      expect(decision).toBeGreaterThanOrEqual(chosen.backoffMinMs);
      if (typeof failed.pushback === "number") expect(decision).toBeGreaterThanOrEqual(failed.pushback);
      const named =
        failed.cause !== "status" || chosen.statuses.has(failed.status) || chosen.grpc.has(failed.grpc);
      expect(named).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});
