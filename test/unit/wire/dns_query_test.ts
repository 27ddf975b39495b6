/** Reading what a DNS client asks, against another codec. */
import { expect, test } from "bun:test";
import { encode } from "dns-packet";
import fc from "fast-check";
import { readDnsQuery } from "../../../src/wire/dns_query.ts";

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,63}$/);
const names = fc.array(label, { maxLength: 6 }).map((labels) => labels.join("."));

test("any name that another codec writes is read, in lower case, with its type and class", () => {
  fc.assert(
    fc.property(names, fc.integer({ min: 256, max: 65_535 }), fc.nat(65_535), (name, type, id) => {
      if (name.length > 253) return;
      const bytes = encode({ type: "query", id, questions: [{ name, type: `UNKNOWN_${type}` as "A" }] });
      const query = readDnsQuery(bytes);
      const wanted = { name: name.toLowerCase(), type, class: 1, questionEnd: bytes.length, edns: null };
      expect(query).toEqual({ kind: "query", ...wanted });
    }),
  );
});

test("a query that is cut anywhere is refused or met with silence, never read as another", () => {
  const additionals = [{ type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0x8000, options: [] } as never];
  const bytes = encode({ type: "query", questions: [{ name: "orders.prod.mesh", type: "A" }], additionals });
  expect(readDnsQuery(bytes)).toMatchObject({ edns: { payloadBytes: 1232, version: 0, dnssec: true } });
  for (let length = 0; length < bytes.length; length++)
    expect(["silent", "malformed"]).toContain(readDnsQuery(bytes.subarray(0, length)).kind);
});

test("a name of more than 255 octets, a label of more than 63 and a pointer in the question are refused", () => {
  const head = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  const tail = [0, 1, 0, 1];
  const read = (...name: number[]) => readDnsQuery(Uint8Array.of(...head, ...name, ...tail)).kind;
  const letters = (count: number): number[] => [count, ...Array.from({ length: count }, () => 97)];
  const most = [...letters(63), ...letters(63), ...letters(63)];
  expect(read(...most, ...letters(61), 0)).toBe("query");
  expect(read(...most, ...letters(62), 0)).toBe("malformed");
  expect(read(...letters(64), 0)).toBe("malformed");
  expect(read(0xc0, 0x0c)).toBe("malformed");
});
