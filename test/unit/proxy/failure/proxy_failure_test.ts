/** What a peer says about its failure: labels and repeats come from lists, words are bounded. */
import { expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import type { Outcome } from "../../../../src/model/outcome.ts";
import { proxyFailure } from "../../../../src/proxy/failure/proxy_failure.ts";
import { fieldsOf } from "../../../support/wire.ts";

function told(...lines: string[]): Outcome | null {
  const fields = fieldsOf(...lines);
  return proxyFailure({
    status: 503,
    fields,
    contentLength: 0,
    tunnel: false,
    nominated: null,
    whole: false,
  });
}

test("a flag that is known is taken, with its words", () => {
  expect(told("x-heddle-error: UH/no instance of a/b", "x-heddle-repeat: yes")).toEqual({
    flag: "UH",
    side: "upstream",
    repeat: "yes",
    status: 503,
    detail: "no instance of a/b",
  });
  expect(told("x-heddle-error: AD/no")?.side).toBe("downstream");
});

test("an answer without the field is one of the service", () => expect(told("a: 1")).toBeNull());

test("a flag that nobody knows breaks the protocol between proxies, whatever it is", () => {
  for (const flag of ["", "XX", "ad", "UHUH", "constructor", "__proto__", "x".repeat(9_000)])
    expect([flag, told(`x-heddle-error: ${flag}/why`)?.flag]).toEqual([flag, "UPE"]);
  expect(told("x-heddle-error: nonsense")).toMatchObject({ flag: "UPE", detail: "nonsense" });
});

test("a repeat that nobody knows is none", () =>
  expect(told("x-heddle-error: UH/a", "x-heddle-repeat: always")?.repeat).toBe("no"));

test("the words are bounded", () =>
  expect(told(`x-heddle-error: UH/${"y".repeat(30_000)}`)?.detail).toBe(
    "y".repeat(limits.failureDetailLengthMax),
  ));

test("a reset is told on as an app's would be: never as none, nor as one after which the request is sent again", () => {
  const reset = (code: string) => told("x-heddle-error: UR/a", `x-heddle-reset: ${code}`)?.reset;
  expect(reset("8")).toBe(8);
  expect(reset("11")).toBe(11);
  expect(reset("0")).toBe(2);
  for (const code of ["7", "10", "13", "-1", "8.5", "1e1", "99999999999", "x"])
    expect([code, reset(code)]).toEqual([code, undefined]);
});

test("a status of gRPC is the one that proxies say, and no success", () => {
  const grpc = (code: string) => told("x-heddle-error: UPE/a", `x-heddle-grpc: ${code}`)?.grpc;
  expect(grpc("8")).toBe(8);
  for (const code of ["0", "1", "14", "17", "999999999"])
    expect([code, grpc(code)]).toEqual([code, undefined]);
});
