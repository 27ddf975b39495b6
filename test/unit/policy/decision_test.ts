/** Answers of policies are doubted: only what is whole and harmless becomes a verdict. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../src/model/limits.ts";
import { checkDecision, type CheckedDecision } from "../../../src/policy/decision.ts";
import { mergeEdits } from "../../../src/wire/fields.ts";

/** As when a request is decided about. */
function decide(answer: unknown): CheckedDecision {
  return checkDecision(answer, "onRequest");
}

const none = { remove: [], set: [], add: [] };

describe("a decision that is in order", () => {
  test("to go on, with edits", () => {
    const answer = {
      do: "next",
      headers: { set: { "X-A": "1" }, add: { "x-b": "2" }, remove: ["X-C"] },
      path: "/y?z=1",
    };
    expect(decide(answer)).toEqual({
      do: "next",
      edits: { set: ["x-a", "1"], add: ["x-b", "2"], remove: ["x-c"] },
      target: { target: "/y?z=1", path: "/y" },
    });
    expect(decide({ do: "next" })).toEqual({ do: "next", edits: none, target: null });
  });

  test("to route", () => {
    expect(decide({ do: "route", service: "inference.other", subset: "v2" })).toEqual({
      do: "route",
      service: "inference.other",
      subset: "v2",
      edits: none,
      target: null,
    });
  });

  test("to be sent otherwise", () => {
    const answer = {
      ...{ do: "next", timeout: "1s", hedge: "50ms", mirror: "twin.shop" },
      retries: { attempts: 2, codes: [503], idempotent: true, perTry: "300ms" },
    };
    expect(decide(answer)).toEqual({
      ...{ do: "next", edits: none, target: null, timeoutMs: 1_000, hedge: "50ms", mirror: "twin.shop" },
      retries: { attempts: 2, codes: [503], idempotent: true, perTryMs: 300 },
    });
  });

  test("to respond", () => {
    const answer = {
      do: "respond",
      status: 429,
      reason: "budget",
      body: "wait",
      headers: { "Retry-After": "1" },
    };
    expect(decide(answer)).toEqual({
      do: "respond",
      status: 429,
      headers: { ...none, set: ["retry-after", "1"] },
      body: "wait",
      reason: "budget",
    });
  });
});

describe("a decision is refused", () => {
  const wrong: Readonly<Record<string, unknown>> = {
    "that is nothing": undefined,
    "that is null": null,
    "that is a list": [],
    "of another kind": { do: "explode" },
    "with a status that is none": { do: "respond", status: 99, reason: "x" },
    "with half a status": { do: "respond", status: 200.5, reason: "x" },
    "without a reason": { do: "respond", status: 200 },
    "with a body that is no text": { do: "respond", status: 200, reason: "x", body: 1 },
    "without a service": { do: "route" },
    "with a service that is a path": { do: "route", service: "../x" },
    "with a subset that is none": { do: "route", service: "a", subset: "a b" },
    "with retries that are no object": { do: "next", retries: 3 },
    "with more retries than any may have": { do: "next", retries: { attempts: 11 } },
    "with half a retry": { do: "next", retries: { attempts: 0.5 } },
    "with retries of an unknown field": { do: "next", retries: { attempt: 1 } },
    "with retries after a success": { do: "next", retries: { codes: [200] } },
    "with codes that are no list": { do: "next", retries: { codes: 503 } },
    "with too many codes": { do: "next", retries: { codes: Array(65).fill(503) } },
    "with what is neither idempotent nor not": { do: "next", retries: { idempotent: "yes" } },
    "with no time for a try": { do: "next", retries: { perTry: "0ms" } },
    "with a hedge that is no time": { do: "next", hedge: "soon" },
    "with a hedge of no time": { do: "next", hedge: "0ms" },
    "with a mirror that is a path": { do: "next", mirror: "../x" },
    "with mirrors": { do: "next", mirror: ["twin"] },
    "that may have failed": { do: "next", failed: "perhaps" },
    "with a relative path": { do: "next", path: "x" },
    "with a path that ends the line": { do: "next", path: "/x\r\nevil: 1" },
    "with a header that ends the line": { do: "next", headers: { set: { a: "1\r\nb: 2" } } },
    "with a header beyond latin1": { do: "next", headers: { set: { a: "\u4e00" } } },
    "with a header name that is none": { do: "next", headers: { set: { "a b": "1" } } },
    "with a header without a name": { do: "next", headers: { set: { "": "1" } } },
    "with a value with blanks around": { do: "next", headers: { set: { a: " 1" } } },
    "with removals that are no list": { do: "next", headers: { remove: "a" } },
    "with too many fields": {
      do: "next",
      headers: { set: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`a${n}`, "1"])) },
    },
  };
  for (const [name, answer] of Object.entries(wrong)) {
    test(name, () => expect(decide(answer).do).toBe("invalid"));
  }

  test("with a path that a client would be refused for", () => {
    const hidden = [
      "/%00",
      "/a\\b",
      "/%5c",
      "/%",
      "/%zz",
      "/%2e%2e/admin",
      "/a/.%2e/b",
      "/a#b",
      "/a b",
      "//\t",
    ];
    for (const path of hidden) {
      const invalid = { do: "invalid" as const, reason: `"${path}" is no path to forward` };
      expect(decide({ do: "next", path })).toEqual(invalid);
      expect(decide({ do: "route", service: "a", path })).toEqual(invalid);
    }
  });

  test("when it touches framing, hops or identity", () => {
    for (const name of [
      "Content-Length",
      "transfer-encoding",
      "Host",
      "connection",
      "x-forwarded-client-cert",
      "x-heddle-source",
      "x-request-id",
      "te",
      "upgrade",
      "content_length",
      "Transfer_Encoding",
      "transfer_encoding",
      "x_heddle_caller",
      "X-Heddle_Error",
      "x_HEDDLE-repeat",
      "x_forwarded_client_cert",
      "X-Forwarded-Client_Cert",
      "x_forwarded_for",
      "x_request_id",
      "keep_alive",
      "proxy_authorization",
      "http2_settings",
    ]) {
      expect([name, decide({ do: "next", headers: { set: { [name]: "1" } } }).do]).toEqual([name, "invalid"]);
      expect([name, decide({ do: "next", headers: { add: { [name]: "1" } } }).do]).toEqual([name, "invalid"]);
      expect([name, decide({ do: "next", headers: { remove: [name] } }).do]).toEqual([name, "invalid"]);
      const answer = { do: "respond", status: 200, reason: "x", headers: { [name]: "1" } };
      expect([name, decide(answer).do]).toEqual([name, "invalid"]);
    }
  });

  test("when it writes more than a head has room for", () => {
    const fields = (count: number, length: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, "v".repeat(length)]));
    const fits = fields(3, limits.policyFieldLengthMax);
    const much = fields(5, limits.policyFieldLengthMax);
    for (const answer of [{ do: "next" }, { do: "route", service: "beta" }]) {
      expect(decide({ ...answer, headers: { set: fits } }).do).toBe(answer.do as never);
      for (const headers of [{ set: much }, { add: much }, { set: fits, add: fields(90, 200) }])
        expect(decide({ ...answer, headers })).toMatchObject({
          do: "invalid",
          reason: expect.stringContaining("header fields"),
        });
    }
    const respond = { do: "respond", status: 200, reason: "" };
    expect(decide({ ...respond, headers: fits }).do).toBe("respond");
    expect(decide({ ...respond, headers: much }).do).toBe("invalid");
  });

  test("with a reason of bounded length, whatever it is about", () => {
    const long = "x".repeat(10_000);
    for (const answer of [
      { do: "next", headers: { set: { [long]: "\n" } } },
      { do: "fail", reason: long },
    ]) {
      const checked = decide(answer);
      expect("reason" in checked && checked.reason.length).toBe(limits.policyReasonLengthMax);
    }
    expect(decide({ do: "next", headers: { remove: Array(101).fill("a") } }).do).toBe("invalid");
  });

  test("also with a status that cannot be made a text", () => {
    expect(() => decide({ do: "respond", status: { toString: {} } })).not.toThrow();
  });

  test("or taken, but nothing that JSON can say makes the check throw", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom("next", "route", "respond", "fail"), (value, kind) => {
        decide(value);
        decide({
          do: kind,
          headers: value,
          service: value,
          status: value,
          path: value,
          reason: value,
        });
        decide({ do: kind, headers: { set: value, add: value, remove: value } });
      }),
    );
  });
});

test("a path is normalised as a client's is, query apart", () => {
  const pathOf = (path: string): unknown => {
    const checked = decide({ do: "next", path });
    return checked.do === "next" && checked.target;
  };
  expect(pathOf("/public/../admin/x?a=/../b")).toEqual({ target: "/admin/x?a=/../b", path: "/admin/x" });
  expect(pathOf("/%41%2f")).toEqual({ target: "/A%2F", path: "/A%2F" });
  expect(pathOf("/a/.")).toEqual({ target: "/a/", path: "/a/" });
});

test("edits of a later policy win over those of an earlier one", () => {
  const first = { remove: ["a"], set: ["b", "1", "c", "1"], add: ["d", "1"] };
  const second = { remove: ["c"], set: ["b", "2"], add: ["d", "2"] };
  expect(mergeEdits(first, second)).toEqual({
    remove: ["a", "c"],
    set: ["b", "2"],
    add: ["d", "1", "d", "2"],
  });
  expect(mergeEdits(first, none)).toEqual(first);
  expect(mergeEdits(none, second)).toEqual(second);
});
