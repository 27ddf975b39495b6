/** What an answer says about its endpoint. */
import { expect, test } from "bun:test";
import { judgeGrpc, judgeStatus } from "../../../../src/proxy/breaker/judge.ts";

test("server errors are hard, too many requests is busy, everything else is a success", () => {
  const statuses = [200, 304, 400, 401, 404, 408, 429, 500, 501, 502, 503, 504, 599];
  const hard = statuses.filter((status) => judgeStatus(status) === "hard");
  expect(hard).toEqual([500, 502, 503, 504, 599]);
  expect(statuses.filter((status) => judgeStatus(status) === "busy")).toEqual([429]);
});

test("of gRPC the codes by which a server speaks of itself are hard, and RESOURCE_EXHAUSTED is busy", () => {
  const codes = Array.from({ length: 17 }, (_, code) => code);
  expect(codes.filter((code) => judgeGrpc(code) === "hard")).toEqual([4, 13, 14, 15]);
  expect(codes.filter((code) => judgeGrpc(code) === "busy")).toEqual([8]);
});
