/** Which trace a request belongs to. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { b3Text, parentText, readTraceContext, type TraceContext } from "../../../src/wire/trace_context.ts";
import { fieldsOf } from "../../support/wire.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = "00f067aa0ba902b7";
const parent = `traceparent: 00-${trace}-${span}-01`;
const read = (...lines: readonly string[]): TraceContext | null => readTraceContext(fieldsOf(...lines));

describe("traceparent", () => {
  test("says trace, span, and whether it is sampled", () => {
    const whole = { traceId: trace, spanId: span, random: false, state: "", from: "w3c" };
    expect(read(parent)).toEqual({ ...whole, sampled: true } as TraceContext);
    expect(read(`traceparent: 00-${trace}-${span}-00`)?.sampled).toBe(false);
    expect(read(`traceparent: 00-${trace}-${span}-fe`)).toMatchObject({ sampled: false, random: true });
  });

  test("of a version to come is read by its first four parts", () => {
    expect(read(`traceparent: cc-${trace}-${span}-01-more-to-come`)?.traceId).toBe(trace);
    expect(read(`traceparent: cc-${trace}-${span}-01`)?.traceId).toBe(trace);
    expect(read(`traceparent: cc-${trace}-${span}-01.more`)).toBeNull();
  });

  test("that is malformed, void or there twice is as if it were not there", () => {
    const malformed = [
      `ff-${trace}-${span}-01`,
      `00-${trace}-${span}-01-more`,
      `00-${trace.toUpperCase()}-${span}-01`,
      `00-${"0".repeat(32)}-${span}-01`,
      `00-${trace}-${"0".repeat(16)}-01`,
      `00-${trace.slice(1)}-${span}-01`,
      `00-${trace}-${span}`,
      `00-${trace}-${span}-1`,
      "",
    ];
    expect(malformed.map((value) => read(`traceparent: ${value}`))).toEqual(malformed.map(() => null));
    expect(read(parent, parent)).toBeNull();
  });

  test("is read back as it was written, whatever the ids", () => {
    const hex = (length: number) =>
      fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((id) => !/^0+$/.test(id));
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), fc.boolean(), (traceId, spanId, sampled, random) => {
        const found = read(`traceparent: ${parentText(traceId, spanId, sampled, random)}`);
        expect(found).toMatchObject({ traceId, spanId, sampled, random });
        const b3 = read(`b3: ${b3Text(traceId, spanId, sampled)}`);
        expect(b3).toMatchObject({ traceId, spanId, sampled, from: "b3" });
      }),
    );
  });

  test("never fails on anything that can stand in a field", () => {
    const text = fc.stringMatching(/^[\x20-\x7e]{0,80}$/).map((value) => value.trim());
    fc.assert(
      fc.property(text, text, text, (one, two, three) => {
        const found = read(`traceparent: ${one}`, `tracestate: ${two}`, `b3: ${three}`);
        if (found !== null) expect(found.traceId).toMatch(/^[0-9a-f]{32}$/);
      }),
    );
  });
});

describe("tracestate", () => {
  const state = (...lines: readonly string[]) => read(parent, ...lines)?.state;

  test("goes on in its order, from one field or several", () => {
    expect(state("tracestate: a=1,t@hd=k:1 , b=2", "tracestate: c@d=3")).toBe("a=1,t@hd=k:1,b=2,c@d=3");
  });

  test("that does not fit is dropped alone, and the trace goes on", () => {
    for (const bad of ["a", "=1", "A=1", "a=1,a=2", "a=b=c", `a=${"x".repeat(257)}`, `${"k".repeat(257)}=1`])
      expect([bad, state(`tracestate: ${bad}`)]).toEqual([bad, ""]);
    const many = Array.from({ length: 33 }, (_, at) => `k${at}=1`).join(",");
    expect(state(`tracestate: ${many}`)).toBe("");
  });

  test("is of bounded length", () => {
    const long = Array.from({ length: 20 }, (_, at) => `k${at}=${"v".repeat(200)}`).join(",");
    expect((state(`tracestate: ${long}`) as string).length).toBeLessThanOrEqual(1_024);
  });

  test("means nothing without a traceparent", () => {
    expect(read("tracestate: a=1")).toBeNull();
    expect(read("tracestate: a=1", `b3: ${trace}-${span}-1`)?.state).toBe("");
  });
});

describe("B3", () => {
  test("is read in one field and in several, where there is no traceparent that fits", () => {
    expect(read(`b3: ${trace}-${span}-1-05e3ac9a4f6e3b90`)).toMatchObject({ traceId: trace, sampled: true });
    expect(read(`b3: ${trace}-${span}`)?.sampled).toBeNull();
    expect(read(`b3: ${trace}-${span}-d`)?.sampled).toBe(true);
    const several = [`X-B3-TraceId: ${trace}`, `X-B3-SpanId: ${span}`];
    expect(read(...several)).toMatchObject({ traceId: trace, spanId: span, sampled: null });
    expect(read(...several, "X-B3-Sampled: 0")?.sampled).toBe(false);
    expect(read(...several, "X-B3-Sampled: 0", "X-B3-Flags: 1")?.sampled).toBe(true);
    expect(read(parent, "b3: 0")?.from).toBe("w3c");
    expect(read("traceparent: nonsense", `b3: ${trace}-${span}-1`)?.from).toBe("b3");
  });

  test("of 64 bits is the same trace in 128", () => {
    expect(read(`b3: a3ce929d0e0e4736-${span}-1`)?.traceId).toBe(`${"0".repeat(16)}a3ce929d0e0e4736`);
  });

  test("that is malformed or says nothing but a decision begins no trace", () => {
    for (const bad of ["0", "1", "d", trace, `${trace}-${span}-x`, `${"0".repeat(32)}-${span}-1`])
      expect([bad, read(`b3: ${bad}`)]).toEqual([bad, null]);
    expect(read(`X-B3-TraceId: ${trace}`)).toBeNull();
  });
});
