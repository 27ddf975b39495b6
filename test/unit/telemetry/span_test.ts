/** Spans of what records say, and as receivers of OTLP read them. */
import { describe, expect, test } from "bun:test";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { CallRecord } from "../../../src/proxy/record/call_record.ts";
import type { OtlpEncoding } from "../../../src/telemetry/otlp/encoding.ts";
import { SpanWriter } from "../../../src/telemetry/otlp/span_messages.ts";
import { encoderSpans, encodeSpans, rejectedSpans } from "../../../src/telemetry/otlp/spans.ts";
import { seeded } from "../../support/chance.ts";
import { spanOf, type Hop, type HopFacts, type Span } from "../../../src/telemetry/trace/span.ts";
import type { TraceRef } from "../../../src/model/trace_ref.ts";

const trace: TraceRef = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  parentId: "b7ad6b7169203331",
  sampled: true,
  random: true,
  state: "other=1",
};
const wallMs = Date.UTC(2030, 0, 1);

function record(direction: "inbound" | "outbound", fields: Partial<CallRecord>): CallRecord {
  const made = new CallRecord(direction, "http", 1_000);
  const usual = { service: "orders.default", source: "web.default", method: "GET", path: "/v1/7" };
  return Object.assign(made, { ...usual, protocol: "HTTP/1.1", route: "orders/all", status: 200 }, fields);
}

function hop(direction: "inbound" | "outbound", fields: Partial<CallRecord> = {}): Hop {
  const facts = record(direction, fields);
  return { facts, trace, startMs: wallMs - 250.5, endMs: wallMs, firstByteMs: null };
}

const span = (...[direction, fields]: Parameters<typeof hop>): Span => spanOf(hop(direction, fields));

describe("a span", () => {
  test("is a client's before the caller and a server's before the service, named by method and route", () => {
    expect(span("outbound")).toMatchObject({ kind: "client", name: "GET orders/all", error: null });
    expect(span("inbound", { route: "" })).toMatchObject({ kind: "server", name: "GET", error: null });
    expect(span("outbound").attributes).toMatchObject({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "server.address": "orders.default",
      "url.full": "http://orders.default.mesh/v1/7",
      "network.protocol.version": "1.1",
      "heddle.source": "web.default",
    });
    expect(span("inbound").attributes).toMatchObject({ "url.path": "/v1/7", "http.route": "orders/all" });
  });

  test("lasts as long as its request did, on the wall clock", () => {
    const { startMs, endMs } = span("outbound");
    expect([startMs, endMs]).toEqual([wallMs - 250.5, wallMs]);
  });

  test("is an error by whose fault it is: 4xx to the caller alone, 5xx to both", () => {
    const errorOf = (direction: "inbound" | "outbound", status: number) => span(direction, { status }).error;
    expect([errorOf("outbound", 404), errorOf("inbound", 404)]).toEqual(["404", null]);
    expect([errorOf("outbound", 503), errorOf("inbound", 503)]).toEqual(["503", "503"]);
    const outcome = {
      flag: "UF",
      side: "upstream",
      repeat: "no",
      status: 503,
      detail: "nobody listens",
    } as const;
    expect(span("outbound", { outcome, status: 503 })).toMatchObject({
      error: "UF: nobody listens",
      attributes: { "heddle.flag": "UF", "heddle.side": "upstream" },
    });
  });

  test("of a gRPC call has its method and the name of its code", () => {
    const fields = { path: "/shop.Orders/Get", grpc: "14", route: "" };
    expect(span("outbound", fields)).toMatchObject({
      name: "shop.Orders/Get",
      error: "UNAVAILABLE",
      attributes: {
        "rpc.system.name": "grpc",
        "rpc.method": "shop.Orders/Get",
        "rpc.status_code": "UNAVAILABLE",
      },
    });
    expect(span("inbound", { ...fields, grpc: "5" }).error).toBeNull();
  });

  test("has an event for each attempt of several and each policy, within its time", () => {
    const attempts = [
      { endpoint: "vm-1", ms: 100, result: "UF" },
      { endpoint: "vm-2", ms: 90, result: "ok" },
    ];
    const policies = [
      {
        name: "canary",
        hash: "h",
        hook: "onRequest",
        action: "route",
        failure: null,
        said: "v2",
        reason: "",
        us: 40,
      },
    ] as const;
    const { events, attributes, startMs, endMs } = span("outbound", { attempts, policies: [...policies] });
    expect(events.map(({ name, attributes: said }) => [name, said["result"] ?? said["decision"]])).toEqual([
      ["policy", "route v2"],
      ["attempt", "UF"],
      ["attempt", "ok"],
    ]);
    for (const { atMs } of events) expect(atMs >= startMs && atMs <= endMs).toBe(true);
    expect(attributes["http.request.resend_count"]).toBe(1);
  });

  test("has few names, whatever method a client sends", () => {
    const odd = span("outbound", { method: "FROBNICATE", route: "" });
    expect(odd.name).toBe("HTTP");
    expect(odd.attributes).toMatchObject({
      "http.request.method": "_OTHER",
      "http.request.method_original": "FROBNICATE",
    });
  });
});

/** Nothing went wrong, and nothing is to be told of attempts and policies. */
function usualFacts(facts: HopFacts): HopFacts {
  const calm = { outcome: null, policies: [], attempts: [], ejected: "", access: null, grpc: "" };
  return { ...facts, ...calm, kind: "http", path: "/v1/7", status: 200 };
}

const alsoDiffers = [
  "path",
  "endpoint",
  "method",
  "service",
  "route",
  "protocol",
  "sourceId",
  "grpc",
] as const;

describe("OTLP", () => {
  const resource = { "service.name": "web", "host.name": "vm-1" };
  const sender = (encoding: OtlpEncoding) => ({ resource, version: "0.1.0", encoding });

  test("in JSON has ids, times, kind, status and the resource as the protocol says", () => {
    const sent = [span("outbound"), span("inbound", { status: 503 })];
    const told = JSON.parse(new TextDecoder().decode(encodeSpans(sent, sender("http/json"))));
    const [{ resource: from, scopeSpans }] = told.resourceSpans;
    expect(from.attributes).toContainEqual({ key: "service.name", value: { stringValue: "web" } });
    const spans = scopeSpans.flatMap((each: { spans: unknown[] }) => each.spans);
    expect(spans).toMatchObject([
      {
        traceId: trace.traceId,
        spanId: trace.spanId,
        parentSpanId: trace.parentId,
        traceState: "other=1",
        kind: 3,
        endTimeUnixNano: `${wallMs}000000`,
        startTimeUnixNano: `${wallMs - 251}500000000`.slice(0, 19),
      },
      { kind: 2, status: { code: 2, message: "503" } },
    ]);
  });

  test("in protobuf is not empty, and answers are read in both encodings", () => {
    const bytes = new SpanWriter().write(hop("outbound"));
    expect(encodeSpans([bytes], sender("http/protobuf")).length).toBeGreaterThan(100);
    expect(rejectedSpans(new Uint8Array(0), "http/protobuf")).toEqual({ count: 0, reason: "" });
    const partial = new TextEncoder().encode(
      '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}',
    );
    expect(rejectedSpans(partial, "http/json")).toEqual({ count: 3, reason: "too old" });
  });

  test("in protobuf is, byte for byte, what OpenTelemetry's own encoder makes of it", () => {
    const seed = Number(process.env["HEDDLE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const { unit: random } = seeded(seed);
    const whole = (max: number): number => Math.floor(random() * max);
    const letters = ["a", "/", "\u00e9", "\u20ac", "\u{1f600}", "\n", "\u0000", "\ud83d"];
    const word = (): string =>
      Array.from({ length: whole(3) === 0 ? whole(400) : whole(20) }, () =>
        whole(3) === 0 ? letters[whole(letters.length)] : "x",
      ).join("");
    const hex = (length: number): string => Array.from({ length }, () => whole(16).toString(16)).join("");
    const oneOf = <Value>(...of: readonly Value[]): Value => of[whole(of.length)] as Value;
    const figure = (): number => oneOf(whole(1_000), whole(2 ** 53), 0);
    // Few of each: spans of one edge follow one another, and such that differ in one thing.
    const edges = Array.from({ length: 20 }, () => oneOf("", "web.default", word()));
    const edge = (): string => oneOf(...edges);
    const facts = (): HopFacts => ({
      ...{ direction: oneOf("inbound", "outbound"), kind: oneOf("http", "http", "tcp"), tls: whole(2) === 0 },
      ...{ service: edge(), source: edge(), sourceId: edge(), destinationId: edge(), route: edge() },
      protocol: oneOf("HTTP/1.1", "HTTP/2", "tcp", word()),
      ...{
        requestId: oneOf("", word()),
        method: oneOf("GET", "POST", word()),
        path: `/${whole(20) === 0 ? "x".repeat(whole(40_000)) : word()}`,
      },
      ...{ grpc: oneOf("", "", "0", "14", "99"), status: oneOf(0, 200, 404, 503) },
      outcome: oneOf(null, null, { flag: "UF", side: oneOf("upstream", "downstream"), detail: word() }),
      ...{ bytesIn: figure(), bytesOut: figure(), endpoint: oneOf("", word()), ejected: oneOf("", word()) },
      attempts: Array.from({ length: whole(4) }, () => ({ endpoint: word(), ms: random(), result: word() })),
      access: oneOf(null, { verdict: oneOf("allow", "deny"), rule: word() }),
      policies: Array.from({ length: whole(3) }, () => ({
        ...{ name: word(), hook: "onRequest", action: oneOf("next", "route"), said: oneOf("", word()) },
        ...{ reason: oneOf("", word()), us: whole(1_000) },
      })),
    });
    const made = (): Hop => {
      const [startMs, lastedMs] = [wallMs + random() * 2 ** 40, random() * 2 ** whole(40)];
      return {
        trace: {
          ...{ traceId: hex(32), spanId: hex(16), parentId: whole(2) === 0 ? "" : hex(16) },
          ...{ sampled: true, random: true, state: whole(2) === 0 ? "" : "other=1,some=2" },
        },
        ...{ facts: facts(), startMs, endMs: startMs + lastedMs },
        firstByteMs: oneOf(null, random() * lastedMs),
      };
    };
    // Such that differ in what every request has of its own, as nearly all do, and now and then in one thing more.
    const usual = { ...made(), facts: usualFacts(facts()) };
    const alike = (): Hop => {
      const { trace: own, startMs, endMs } = made();
      const one = whole(10) === 0 ? { [oneOf(...alsoDiffers)]: oneOf("", "other", word()) } : {};
      const ids = { requestId: whole(10) === 0 ? word() : hex(20) };
      const sizes = whole(2) === 0 ? {} : { bytesIn: figure(), bytesOut: figure() };
      const state = whole(10) === 0 ? own.state : "";
      const firstByteMs = whole(10) === 0 ? null : random() * (endMs - startMs);
      const its = { ...usual.facts, ...ids, ...sizes, ...one };
      return { trace: { ...own, state }, facts: its, startMs, endMs, firstByteMs };
    };
    const writer = new SpanWriter();
    for (let run = 0; run < 400; run++) {
      const hops = Array.from({ length: whole(4) + 1 }, run % 2 === 0 ? made : alike);
      const spans = hops.map(spanOf);
      const theirs = ProtobufTraceSerializer.serializeRequest(encoderSpans(spans, sender("http/json")));
      const ours = encodeSpans(
        hops.map((each) => writer.write(each)),
        sender("http/protobuf"),
      );
      const same = Buffer.compare(ours, theirs as Uint8Array) === 0;
      expect({ seed, run, same }).toEqual({ seed, run, same: true });
    }
  });
});
