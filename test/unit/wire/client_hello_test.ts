import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../src/model/limits.ts";
import { readClientHello } from "../../../src/wire/client_hello.ts";
import { captureHello, inRecords } from "../../support/hello.ts";

const hello = await captureHello("Orders.default.mesh", ["h2", "http/1.1"]);
const payload = hello.subarray(5);
const expected = { kind: "hello", serverName: "orders.default.mesh", alpn: ["h2", "http/1.1"] } as const;
const anonymous = await captureHello("", []);

/** A ClientHello with one extension. */
function withExtension(type: number, content: readonly number[]): Uint8Array {
  const extension = [type >> 8, type & 255, content.length >> 8, content.length & 255, ...content];
  const fixed = [3, 3, ...new Array<number>(32).fill(7), 0, 0, 2, 0x13, 1, 1, 0];
  const body = [...fixed, extension.length >> 8, extension.length & 255, ...extension];
  return inRecords(Uint8Array.from([1, 0, body.length >> 8, body.length & 255, ...body]), []);
}

const bytesOf = (text: string): number[] => [...new TextEncoder().encode(text)];
const named = (name: readonly number[]): Uint8Array =>
  withExtension(0, [0, name.length + 3, 0, 0, name.length, ...name]);

describe("a ClientHello", () => {
  test("of a real client tells server name and protocols, the name in lower case", () => {
    expect(readClientHello(hello)).toEqual(expected);
  });

  test("that names nothing says so", () => {
    expect(readClientHello(anonymous)).toEqual({ kind: "hello", serverName: "", alpn: [] });
  });

  test("asks for more until its last byte is there", () => {
    for (let length = 0; length < hello.length; length++)
      expect(readClientHello(hello.subarray(0, length)).kind).toBe("more");
  });

  test("reads the same however it is spread over records", () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: payload.length - 1 }), { maxLength: 15 });
    fc.assert(
      fc.property(cuts, (at) => {
        const spread = inRecords(payload, at);
        expect(readClientHello(spread)).toEqual(expected);
        expect(readClientHello(spread.subarray(0, spread.length - 1)).kind).toBe("more");
      }),
    );
  });

  test("does not depend on what follows it", () => {
    for (const after of ["\x14\x03\x03\x00\x01\x01", "\x17\x03\x03\x00\x03abc", "\x16\x03", "GET /"]) {
      expect(readClientHello(Uint8Array.from([...hello, ...bytesOf(after)]))).toEqual(expected);
    }
  });
});

describe("bytes that are no ClientHello", () => {
  test("are plain when they are no TLS at all", () => {
    expect(readClientHello(new TextEncoder().encode("GET / HTTP/1.1\r\n"))).toEqual({ kind: "plain" });
    expect(readClientHello(Uint8Array.of(0x80, 0x2e, 1))).toEqual({ kind: "plain" });
  });

  const bad: readonly (readonly [string, Uint8Array])[] = [
    ["another handshake message", inRecords(Uint8Array.of(2, 0, 0, 1, 0), [])],
    ["an empty record", Uint8Array.of(0x16, 3, 1, 0, 0)],
    ["a record larger than any may be", Uint8Array.of(0x16, 3, 1, 0xff, 0xff)],
    [
      "another record in its middle",
      Uint8Array.from([...inRecords(payload.subarray(0, 40), []), 0x17, 3, 3, 0, 1]),
    ],
    [
      "more records than any client needs",
      inRecords(
        payload,
        Array.from({ length: 20 }, (_, at) => at + 1),
      ),
    ],
    ["a length beyond the limit", inRecords(Uint8Array.of(1, 0xff, 0xff, 0xff), [])],
    ["a name with a line break", named(bytesOf("a\nb"))],
    ["a name with a NUL", named(bytesOf("orders.default.mesh\0"))],
    ["an empty name", named([])],
    ["two names", withExtension(0, [0, 8, 0, 0, 1, 0x61, 0, 0, 1, 0x62])],
    ["a name of another type", withExtension(0, [0, 4, 1, 0, 1, 0x61])],
    ["a name longer than its list", withExtension(0, [0, 4, 0, 0, 9, 0x61])],
    ["an empty protocol name", withExtension(16, [0, 1, 0])],
    ["a protocol name longer than its list", withExtension(16, [0, 2, 5, 0x61])],
  ];
  for (const [what, bytes] of bad) {
    test(`are refused: ${what}`, () => {
      expect(readClientHello(bytes).kind).toBe("malformed");
    });
  }

  test("end at the limit, whatever they promise", () => {
    const endless = new Uint8Array(limits.clientHelloBytesMax + 1);
    for (let at = 0; at < endless.length; at += 16_005) endless.set([0x16, 3, 1, 0x3e, 0x80], at);
    endless.set([1, 0, 0xff, 0xfb], 5);
    expect(readClientHello(endless.subarray(0, 50_000)).kind).toBe("more");
    expect(readClientHello(endless).kind).toBe("malformed");
  });
});
