import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../src/model/limits.ts";
import { proxyHeader, readProxyHeader } from "../../../src/wire/proxy_protocol.ts";

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const signature = "\r\n\r\n\0\r\nQUIT\n";
const binary = (version: number, family: number, content: readonly number[]): Uint8Array =>
  Uint8Array.of(
    ...bytesOf(signature),
    version,
    family,
    content.length >> 8,
    content.length & 255,
    ...content,
  );
const ipv4 = [10, 0, 0, 7, 10, 0, 0, 1, 0xc8, 0x1e, 0, 80];
const header = (client: string, length: number) => ({ kind: "header", client, length }) as const;

describe("version 1 of the PROXY protocol", () => {
  const lines: readonly (readonly [string, string, string])[] = [
    ["IPv4", "PROXY TCP4 10.0.0.7 10.0.0.1 51230 80\r\n", "10.0.0.7:51230"],
    ["IPv6", "PROXY TCP6 fd00::7 fd00::1 51230 80\r\n", "[fd00::7]:51230"],
    ["IPv4 inside IPv6", "PROXY TCP6 ::ffff:10.0.0.7 ::1 1 2\r\n", "[::ffff:10.0.0.7]:1"],
    // As widespread writers put it where one end is IPv6 (findings/go_proxyproto_ipv4_in_tcp6.sh).
    ["IPv4 beside IPv6", "PROXY TCP6 10.0.0.7 fd00::1 1 2\r\n", "10.0.0.7:1"],
    ["an unknown client", "PROXY UNKNOWN\r\n", ""],
    ["an unknown client with words behind it", "PROXY UNKNOWN ff::1 ff::2 1 2\r\n", ""],
  ];
  for (const [what, line, client] of lines)
    test(`of ${what} tells the client and where its bytes begin`, () =>
      expect(readProxyHeader(bytesOf(`${line}rest`))).toEqual(header(client, line.length)));

  const malformed: readonly (readonly [string, string])[] = [
    ["no PROXY line", "GET / HTTP/1.1\r\n"],
    ["small letters", "proxy TCP4 10.0.0.7 10.0.0.1 1 2\r\n"],
    ["LF alone", "PROXY TCP4 10.0.0.7 10.0.0.1 1 2\n"],
    ["a family nobody knows", "PROXY UDP4 10.0.0.7 10.0.0.1 1 2\r\n"],
    ["an address of the other family", "PROXY TCP4 fd00::7 fd00::1 1 2\r\n"],
    ["an address out of range", "PROXY TCP4 10.0.0.256 10.0.0.1 1 2\r\n"],
    ["an address with leading zeros", "PROXY TCP4 010.0.0.6 10.0.0.1 1 2\r\n"],
    ["two gaps", "PROXY TCP6 fd00::7::1 fd00::1 1 2\r\n"],
    ["too many groups", "PROXY TCP6 1:2:3:4:5:6:7:8:9 fd00::1 1 2\r\n"],
    ["a port out of range", "PROXY TCP4 10.0.0.7 10.0.0.1 65536 2\r\n"],
    ["a port that is no number", "PROXY TCP4 10.0.0.7 10.0.0.1 1a 2\r\n"],
    ["two spaces", "PROXY TCP4  10.0.0.7 10.0.0.1 1 2\r\n"],
    ["a word too many", "PROXY TCP4 10.0.0.7 10.0.0.1 1 2 3\r\n"],
    ["no end within 107 bytes", `PROXY UNKNOWN ${"x".repeat(100)}`],
    ["an end behind 107 bytes", `PROXY UNKNOWN ${"x".repeat(100)}\r\n`],
  ];
  for (const [what, line] of malformed)
    test(`is refused with ${what}`, () => expect(readProxyHeader(bytesOf(line)).kind).toBe("malformed"));
});

describe("version 2 of the PROXY protocol", () => {
  const ipv6 = [...new Array<number>(15).fill(0), 1, ...new Array<number>(16).fill(2), 0, 7, 0, 80];
  const mapped = [...new Array<number>(10).fill(0), 255, 255, 10, 0, 0, 7, ...ipv6.slice(16)];
  const good: readonly (readonly [string, Uint8Array, string])[] = [
    ["IPv4", binary(0x21, 0x11, ipv4), "10.0.0.7:51230"],
    ["IPv6", binary(0x21, 0x21, ipv6), "[0:0:0:0:0:0:0:1]:7"],
    ["IPv4 inside IPv6", binary(0x21, 0x21, mapped), "[::ffff:10.0.0.7]:7"],
    ["more behind the addresses", binary(0x21, 0x11, [...ipv4, 4, 0, 1, 0]), "10.0.0.7:51230"],
    ["a check of the sender's own", binary(0x20, 0x11, ipv4), ""],
    ["a check without addresses", binary(0x20, 0, []), ""],
    ["a unix socket", binary(0x21, 0x31, new Array<number>(216).fill(0)), ""],
    ["an unspecified family", binary(0x21, 0, []), ""],
  ];
  for (const [what, bytes, client] of good)
    test(`of ${what} tells the client and where its bytes begin`, () =>
      expect(readProxyHeader(Uint8Array.of(...bytes, 9, 9))).toEqual(header(client, bytes.length)));

  const bad: readonly (readonly [string, Uint8Array])[] = [
    ["a broken signature", bytesOf("\r\n\r\n\0\r\nQUIX\n\x21\x11\0\0")],
    ["version 1 in it", binary(0x11, 0x11, ipv4)],
    ["a command nobody knows", binary(0x22, 0x11, ipv4)],
    ["addresses cut short", binary(0x21, 0x11, ipv4.slice(0, 11))],
    ["too many bytes", binary(0x21, 0x11, new Array<number>(limits.proxyHeaderBytesMax + 1).fill(0))],
  ];
  for (const [what, bytes] of bad)
    test(`is refused with ${what}`, () => expect(readProxyHeader(bytes).kind).toBe("malformed"));
});

describe("a PROXY header", () => {
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6().filter((each) => !each.includes(".")),
  );
  const port = fc.integer({ min: 0, max: 65_535 });
  const place = fc
    .tuple(address, port)
    .map(([host, at]) => (host.includes(":") ? `[${host}]:${at}` : `${host}:${at}`));
  const version = fc.constantFrom<1 | 2>(1, 2);

  test("that was written is read as it was meant, from any part of it not before it is whole", () => {
    fc.assert(
      fc.property(version, place, place, (by, client, server) => {
        const bytes = proxyHeader(by, client, server);
        for (let length = 0; length < bytes.length; length++)
          if (readProxyHeader(bytes.subarray(0, length)).kind !== "more") return false;
        const read = readProxyHeader(bytes);
        if (read.kind !== "header" || read.length !== bytes.length) return false;
        return sameAddress(read.client, client);
      }),
      { numRuns: 2_000 },
    );
  });

  test("names nobody when the client is not known or no address", () => {
    for (const client of ["", "somewhere", "10.0.0.1", "10.0.0.1:99999", "[fd00::1:1"])
      for (const by of [1, 2] as const)
        expect(readProxyHeader(proxyHeader(by, client, "127.0.0.1:80"))).toMatchObject({
          kind: "header",
          client: "",
        });
  });

  test("writes both ends as IPv6 when one of them is", () => {
    const line = (client: string, server: string): string =>
      Buffer.from(proxyHeader(1, client, server)).toString();
    expect(line("[fd00::7]:5", "127.0.0.1:80")).toBe("PROXY TCP6 fd00::7 ::ffff:127.0.0.1 5 80\r\n");
    expect(line("10.0.0.7:5", "[::1]:80")).toBe("PROXY TCP6 ::ffff:10.0.0.7 ::1 5 80\r\n");
    const read = readProxyHeader(proxyHeader(2, "10.0.0.7:5", "[::1]:80"));
    expect(read).toMatchObject({ kind: "header", client: "[::ffff:10.0.0.7]:5" });
  });

  test("that names an IPv4 client inside IPv6 is passed on in either version", () => {
    const given = readProxyHeader(proxyHeader(2, "10.0.0.7:5", "[::1]:80"));
    const client = given.kind === "header" ? given.client : "";
    expect(Buffer.from(proxyHeader(1, client, "127.0.0.1:80")).toString()).toBe(
      "PROXY TCP4 10.0.0.7 127.0.0.1 5 80\r\n",
    );
  });

  test("writes an IPv4 client of a dual-stack listener as IPv4", () => {
    expect(Buffer.from(proxyHeader(1, "[::ffff:10.0.0.7]:5", "127.0.0.1:80")).toString()).toBe(
      "PROXY TCP4 10.0.0.7 127.0.0.1 5 80\r\n",
    );
  });
});

/** Compares as the host writes it. */
function sameAddress(a: string, b: string): boolean {
  const written = (text: string): string =>
    new URL(`ws://${text.replace(/^\[::ffff:([\d.]+)\]/, "$1")}`).host;
  return written(a) === written(b);
}
