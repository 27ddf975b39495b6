/** What leaves for an endpoint: the request as it came, unless something was decided of it. */
import { describe, expect, test } from "bun:test";
import type { RequestHead } from "../../../../src/http/exchange.ts";
import { answerEdits, attemptFields, Leaving, requestEdits } from "../../../../src/proxy/rewrite/leaving.ts";
import type { LiveDestination } from "../../../../src/proxy/state/live_service.ts";
import { noEdits } from "../../../../src/wire/fields.ts";
import { fieldsFrom } from "../../../../src/wire/head_fields.ts";

const cameWith = (pairs: readonly string[] = [], change: Partial<RequestHead> = {}): RequestHead => ({
  method: "GET",
  target: "/a%2Fb?x=1",
  path: "/a%2Fb",
  authority: "web.mesh",
  fields: fieldsFrom(pairs),
  contentLength: 0,
  upgrade: null,
  expectContinue: false,
  version: "HTTP/1.1",
  nominated: null,
  ...change,
});
const own = requestEdits("HTTP/1.1", answerEdits("r-1"));
const serviceThat = (escapedSlashes: "keep" | "refuse" | "decode"): LiveDestination =>
  ({ declared: { escapedSlashes } }) as unknown as LiveDestination;

describe("a request of which nothing was decided", () => {
  test("leaves as the very head that came, with heddle's own fields and no others", () => {
    const came = cameWith(["accept", "*/*"]);
    const leaving = new Leaving(came, own);
    expect(leaving.head()).toBe(came);
    expect(leaving.fields(attemptFields(0, null, false, null))).toBe(own);
    expect(own).toEqual({ remove: [], set: ["x-request-id", "r-1"], add: ["via", "1.1 heddle"] });
  });

  test("that came in another version says so in Via, and its answer does not", () => {
    const answer = answerEdits("r-1");
    expect(requestEdits("HTTP/2", answer).add).toEqual(["via", "2 heddle"]);
    expect(requestEdits("HTTP/1.0", answer).add).toEqual(["via", "1.0 heddle"]);
    expect(answer.add).toEqual(["via", "1.1 heddle"]);
  });

  test("and that names nobody leaves with the name of its service", () => {
    const leaving = new Leaving(cameWith([], { authority: "" }), own);
    leaving.serverName = "web.default";
    expect(leaving.head()).toMatchObject({ authority: "web.default", target: "/a%2Fb?x=1" });
  });
});

describe("fields of a request", () => {
  test("that are heddle's own are left out when they came from outside", () => {
    const leaving = new Leaving(cameWith(["x-heddle-caller", "admin", "accept", "*/*"]), own);
    expect(leaving.fields(null)).toEqual({ ...own, remove: ["x-heddle-caller"] });
  });

  test("that a policy writes give way to what heddle itself says, and what it adds stands beside", () => {
    const leaving = new Leaving(cameWith(), own);
    const edits = { remove: ["x-old"], set: ["x-request-id", "forged"], add: ["x-more", "2"] };
    leaving.obey({ edits, target: null });
    expect(leaving.fields(["x-heddle-attempt", "1"])).toEqual({
      remove: ["x-old"],
      set: ["x-request-id", "r-1", "x-heddle-attempt", "1"],
      add: ["x-more", "2", "via", "1.1 heddle"],
    });
  });

  test("that heddle writes or takes away are there once, whatever routes and attempts write besides", () => {
    const traced = { remove: ["tracestate"], set: ["traceparent", "00-ours"], add: [] };
    const leaving = new Leaving(cameWith(["tracestate", "of=another"]), traced);
    const routes = ["traceparent", "00-theirs", "tracestate", "x=1", "x-request-deadline", "1h"];
    leaving.change({ remove: [], set: routes, add: ["x-more", "2"] });
    expect(leaving.fields(["x-request-deadline", "500ms"])).toEqual({
      remove: ["tracestate"],
      set: ["traceparent", "00-ours", "x-request-deadline", "500ms"],
      add: ["x-more", "2"],
    });
    expect(new Leaving(cameWith(), traced).fields(["x-heddle-attempt", "1"]).remove).toEqual(["tracestate"]);
  });

  test("of one attempt tell which one it is, what is left of its time, who spoke what, and whose it is", () => {
    expect(attemptFields(2, ["grpc-timeout", "80m"], true, "51230")).toEqual([
      ...["x-heddle-attempt", "2", "grpc-timeout", "80m"],
      ...["x-heddle-spoke", "h2", "x-heddle-flow", "51230"],
    ]);
  });

  test("with a bound of hops leave with one hop less", () => {
    const leaving = new Leaving(cameWith(["max-forwards", "3"]), own);
    leaving.limitHops(2);
    expect(leaving.fields(null).set).toEqual(["x-request-id", "r-1", "max-forwards", "2"]);
  });
});

describe("a target", () => {
  test("is read as each service reads it", () => {
    const leaving = new Leaving(cameWith(), own);
    expect([leaving.readFor(serviceThat("keep")), leaving.target]).toEqual([true, null]);
    expect([leaving.readFor(serviceThat("refuse")), leaving.path]).toEqual([false, "/a%2Fb"]);
    expect(leaving.readFor(serviceThat("decode"))).toBe(true);
    expect([leaving.path, leaving.head().target]).toEqual(["/a/b", "/a/b?x=1"]);
  });

  test("that a policy wrote goes on instead, and is known to be its", () => {
    const leaving = new Leaving(cameWith(), own);
    leaving.obey({ edits: noEdits, target: { target: "/new?y", path: "/new" } });
    expect([leaving.rewritten, leaving.path, leaving.head().target]).toEqual([true, "/new", "/new?y"]);
  });
});

describe("the deadline of a request", () => {
  const left = (pairs: readonly string[], timeoutMs: number, elapsedMs: number, grpc: boolean) => {
    const leaving = new Leaving(cameWith(pairs), own);
    leaving.timeoutMs = timeoutMs;
    return leaving.deadline(elapsedMs, grpc);
  };

  test("goes on as it came while nothing of it is used up, and as what is left of it later", () => {
    const [grpc, field] = [
      ["grpc-timeout", "2S"],
      ["x-request-deadline", "2s"],
    ];
    expect([left(grpc, 2_000, 0.5, true), left(field, 2_000, 0.5, false)]).toEqual([null, null]);
    expect(left(grpc, 2_000, 500, true)).toEqual(["grpc-timeout", "1500m"]);
    expect(left(field, 2_000, 500, false)).toEqual(["x-request-deadline", "1500ms"]);
  });

  test("is the route's where that ends first or there is no other, in the field of what the caller speaks", () => {
    expect(left(["grpc-timeout", "2S"], 1_000, 0, true)).toEqual(["grpc-timeout", "1000m"]);
    expect(left([], 1_000, 0, true)).toEqual(["grpc-timeout", "1000m"]);
    expect(left([], 1_000, 0, false)).toEqual(["x-request-deadline", "1000ms"]);
    expect(left(["x-request-deadline", "soon"], 1_000, 0, false)).toEqual(["x-request-deadline", "1000ms"]);
    expect(new Leaving(cameWith(["grpc-timeout", "2S"]), own).deadline(500, true)).toBeNull();
  });

  test("leaves in both fields where both came", () => {
    const both = ["grpc-timeout", "2S", "x-request-deadline", "9s"];
    expect(left(both, 2_000, 500, true)).toEqual(["grpc-timeout", "1500m", "x-request-deadline", "1500ms"]);
  });
});

test("what heddle had decided of a request before its policies were asked stands beside what they decide", () => {
  const leaving = new Leaving(cameWith(["accept-encoding", "gzip"]), noEdits);
  leaving.change({ remove: [], set: ["accept-encoding", "identity"], add: [] });
  leaving.obey({ edits: { remove: [], set: ["x-team", "red"], add: [] }, target: null });
  expect(leaving.fields(null).set).toEqual(["accept-encoding", "identity", "x-team", "red"]);
});

test("a field of a request is read as it goes on", () => {
  const leaving = new Leaving(cameWith(["x-team", "red", "x-user", "ann", "x-tag", "a"]), noEdits);
  expect([leaving.text("x-team"), leaving.text("x-none")]).toEqual(["red", null]);
  leaving.obey({ edits: { remove: ["x-user"], set: ["x-team", "blue"], add: ["x-tag", "b"] }, target: null });
  expect(["x-team", "x-user", "x-tag"].map((name) => leaving.text(name))).toEqual(["blue", null, "a, b"]);
});
