import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../src/model/limits.ts";
import { beginsHttp2, whatIsSpoken, type Spoken } from "../../../src/wire/first_bytes.ts";
import { captureHello } from "../../support/hello.ts";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

describe("the first bytes", () => {
  const spoken: readonly (readonly [string, string, Spoken])[] = [
    ["a request line", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "http/1.1"],
    ["a request line of HTTP/1.0 that ends in LF alone", "GET /a?b HTTP/1.0\n", "http/1.1"],
    ["a CONNECT", "CONNECT a:443 HTTP/1.1\r\n", "http/1.1"],
    ["a method of an extension with a hyphen", "VERSION-CONTROL /x HTTP/1.1\r\n", "http/1.1"],
    ["the preface of HTTP/2", preface, "h2"],
    ["a preface that goes wrong", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "opaque"],
    ["a TLS record", "\x16\x03\x01\x02\x00", "tls"],
    ["a record that only looks like TLS", "\x16\x04", "opaque"],
    ["an inline command of Redis", "PING\r\n", "opaque"],
    ["an inline command with arguments", "SET a b\r\n", "opaque"],
    ["an array of Redis", "*1\r\n$4\r\nPING\r\n", "opaque"],
    ["the startup message of PostgreSQL", "\x00\x00\x00\x08\x04\xd2\x16\x2f", "opaque"],
    ["a greeting of SMTP in small letters", "ehlo there\r\n", "opaque"],
    ["a greeting of SMTP in capitals", "EHLO there\r\n", "opaque"],
    ["the banner of SSH", "SSH-2.0-OpenSSH_9.2\r\n", "opaque"],
    ["HTTP/0.9", "GET /\r\n", "opaque"],
    ["a control byte in a request line", "GET /\x01 HTTP/1.1\r\n", "opaque"],
    ["a CR inside a request line", "GET /\rx HTTP/1.1\r\n", "opaque"],
    ["a method that is too long", "A".repeat(limits.methodBytesMax + 1), "opaque"],
    ["a line that is too long", `GET /${"a".repeat(limits.requestHeadBytesMax)} HTTP/1.1\r\n`, "opaque"],
    ["nothing", "", "undecided"],
    ["one capital", "G", "undecided"],
    ["half a request line", "GET /index.html HT", "undecided"],
    ["a part of the preface", "PRI * HTTP/2.0\r\n\r\nSM", "undecided"],
    ["the first byte of TLS", "\x16", "undecided"],
    ["a letter and then a byte that stands in no text", "G\x80", "opaque"],
  ];
  for (const [what, text, is] of spoken)
    test(`of ${what} mean ${is}`, () => expect(whatIsSpoken(bytesOf(text))).toBe(is));

  test("of a real TLS client mean tls", async () => {
    expect(whatIsSpoken(await captureHello("db.example", []))).toBe("tls");
  });

  test("never mean something else when more of them are there", () => {
    const scraps = fc.constantFrom(
      "GET",
      " ",
      "/",
      "\r",
      "\n",
      "HTTP/1.1",
      "\x16",
      "\x03",
      "PRI * ",
      "a",
      "\x00",
      preface,
    );
    const texts = fc.array(scraps, { maxLength: 12 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(texts, fc.nat(60), (text, cut) => {
        const bytes = bytesOf(text);
        const before = whatIsSpoken(bytes.subarray(0, cut));
        return before === "undecided" || before === whatIsSpoken(bytes);
      }),
      { numRuns: 5_000 },
    );
  });

  test("of every whole request line mean HTTP/1 at its line feed and not before", () => {
    const path = fc.string({ unit: fc.constantFrom(..."abz09/?&=%-._~ :é"), maxLength: 40 });
    fc.assert(
      fc.property(fc.constantFrom("GET", "POST", "OPTIONS", "M-SEARCH"), path, (method, rest) => {
        const bytes = bytesOf(`${method} /${rest} HTTP/1.1\r\n`);
        for (let length = 0; length < bytes.length; length++)
          if (whatIsSpoken(bytes.subarray(0, length)) !== "undecided") return false;
        return whatIsSpoken(bytes) === "http/1.1";
      }),
    );
  });
});

test("HTTP/2 begins with the whole preface, and until then nobody knows", () => {
  const bytes = bytesOf(preface);
  for (let length = 0; length < bytes.length; length++)
    expect(beginsHttp2(bytes.subarray(0, length))).toBe("undecided");
  expect([beginsHttp2(bytes), beginsHttp2(bytesOf(`${preface}more`))]).toEqual(["yes", "yes"]);
  expect(beginsHttp2(bytesOf("POST"))).toBe("no");
});
