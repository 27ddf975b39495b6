import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { noEdits } from "../../../../src/wire/fields.ts";
import { frameHeaderBytes } from "../../../../src/wire/h2/frames.ts";
import { HeadBlock } from "../../../../src/wire/h2/head_block.ts";
import { HpackDecoder } from "../../../../src/wire/h2/hpack_decoder.ts";
import { headBuffer } from "../../../../src/wire/h2/head_buffer.ts";
import { HpackEncoder } from "../../../../src/wire/h2/hpack_encoder.ts";
import { HpackTable } from "../../../../src/wire/h2/hpack_table.ts";
import { lineOf } from "../../../../src/wire/h2/field_line.ts";
import { decodedBytesMax, huffmanDecode } from "../../../../src/wire/h2/huffman.ts";
import { HeadFields } from "../../../../src/wire/head_fields.ts";
import {
  blockOf,
  bytesOf,
  concat,
  huffman,
  integer,
  literal,
  type FieldList,
} from "../../../support/h2_frames.ts";
import { fieldsOf } from "../../../support/wire.ts";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

function listOf(fields: HeadFields): [string, string][] {
  return Array.from({ length: fields.count }, (_, at) => [fields.nameAt(at), fields.valueAt(at)]);
}

/** Decodes a request or an answer; null for a broken block. */
function decode(
  decoder: HpackDecoder,
  bytes: Uint8Array,
  kind: "request" | "response" | "trailers" = "request",
) {
  const block = new HeadBlock();
  block.begin(kind, new HeadFields(), 65_536);
  if (!decoder.decode(bytes, 0, bytes.length, block)) return null;
  block.finish();
  return block;
}

const requests = [
  { method: "GET", scheme: "http", target: "/", authority: "www.example.com", fields: [] },
  {
    method: "GET",
    scheme: "http",
    target: "/",
    authority: "www.example.com",
    fields: [["cache-control", "no-cache"]],
  },
  {
    method: "GET",
    scheme: "https",
    target: "/index.html",
    authority: "www.example.com",
    fields: [["custom-key", "custom-value"]],
  },
];
const requestBlocks = {
  "C.3": [
    "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "8286 84be 5808 6e6f 2d63 6163 6865",
    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
  ],
  "C.4": [
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
  ],
};
const date = "Mon, 21 Oct 2013 20:13:21 GMT";
const location = "https://www.example.com";
const cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const answers = [
  {
    status: 302,
    fields: [
      ["cache-control", "private"],
      ["date", date],
      ["location", location],
    ],
  },
  {
    status: 307,
    fields: [
      ["cache-control", "private"],
      ["date", date],
      ["location", location],
    ],
  },
  {
    status: 200,
    fields: [
      ["cache-control", "private"],
      ["date", "Mon, 21 Oct 2013 20:13:22 GMT"],
      ["location", location],
      ["content-encoding", "gzip"],
      ["set-cookie", cookie],
    ],
  },
];
const answerBlocks = {
  "C.5": [
    "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "4803 3330 37c1 c0bf",
    "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
  ],
  "C.6": [
    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    "4883 640e ffc1 c0bf",
    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
  ],
};

describe("the examples of RFC 7541", () => {
  for (const [section, blocks] of Object.entries(requestBlocks)) {
    test(`${section}: three requests on one connection`, () => {
      const decoder = new HpackDecoder(4096);
      blocks.forEach((text, at) => {
        const block = decode(decoder, hex(text));
        if (block === null) throw new Error("The block is refused");
        const { method, scheme, target, authority, fields, malformed } = block;
        expect({ method, scheme, target, authority, fields: listOf(fields) }).toEqual(requests[at] as never);
        expect(malformed).toBeNull();
      });
    });
  }

  for (const [section, blocks] of Object.entries(answerBlocks)) {
    test(`${section}: three answers that push each other out of a table of 256 bytes`, () => {
      const decoder = new HpackDecoder(256);
      blocks.forEach((text, at) => {
        const block = decode(decoder, hex(text), "response");
        if (block === null) throw new Error("The block is refused");
        expect({ status: block.status, fields: listOf(block.fields) }).toEqual(answers[at] as never);
      });
    });
  }

  test("C.2: literals with, without and never indexed, as fields", () => {
    const blocks = [
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      "1008 7061 7373 776f 7264 0673 6563 7265 74",
    ].map((text) => decode(new HpackDecoder(4096), hex(text), "trailers"));
    expect(blocks.map((block) => block && listOf(block.fields))).toEqual([
      [["custom-key", "custom-header"]],
      [["password", "secret"]],
    ]);
  });
});

describe("Huffman", () => {
  test("decodes every octet, alone and among others", () => {
    for (let code = 0; code < 256; code++) {
      const text = `a${String.fromCharCode(code)}z${String.fromCharCode(code, code)}`;
      const coded = huffman(text);
      const target = new Uint8Array(decodedBytesMax(coded.length));
      const end = huffmanDecode(coded, 0, coded.length, target, 0);
      expect(target.subarray(0, end)).toEqual(new Uint8Array(bytesOf(text)));
    }
  });

  test("gives back any string", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const coded = huffman(String.fromCharCode(...bytes));
        const target = new Uint8Array(decodedBytesMax(coded.length));
        expect(target.subarray(0, huffmanDecode(coded, 0, coded.length, target, 0))).toEqual(
          Uint8Array.from(bytes),
        );
      }),
    );
  });

  test("refuses EOS, padding of zeros, and padding longer than seven bits", () => {
    const target = new Uint8Array(64);
    for (const coded of [[0xff, 0xff, 0xff, 0xff], [0xf8, 0xff], [0x18], [0xff], [0x1f, 0xff]])
      expect(huffmanDecode(Uint8Array.from(coded), 0, coded.length, target, 0)).toBe(-1);
    expect(huffmanDecode(Uint8Array.of(0x1f), 0, 1, target, 0)).toBe(1);
  });
});

describe("a block", () => {
  const refused: readonly (readonly [string, Uint8Array])[] = [
    ["an index of nothing", Uint8Array.of(0x80)],
    ["an index beyond the table", Uint8Array.of(0xbe)],
    ["a name index beyond the table", concat(Uint8Array.of(0x7e), bytesOf("\u0001a"))],
    ["a string longer than the block", concat(Uint8Array.of(0), bytesOf("\u0001a\u0005bc"))],
    ["a literal cut short", Uint8Array.of(0x40, 1)],
    ["an integer without an end", Uint8Array.of(0xff, 0x80, 0x80)],
    ["an integer that is too large", Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)],
    ["a size update that is too large", integer(4097, 5, 0x20)],
    ["a size update behind a field", concat(Uint8Array.of(0x82), integer(100, 5, 0x20))],
  ];
  for (const [what, bytes] of refused)
    test(`with ${what} breaks the connection`, () => {
      expect(decode(new HpackDecoder(4096), bytes)).toBeNull();
    });

  test("may change the size of the table at its start, more than once, and what no longer fits is gone", () => {
    const decoder = new HpackDecoder(4096);
    expect(decode(decoder, literal("x-a", "1", 0x40), "trailers")).not.toBeNull();
    expect(decode(decoder, Uint8Array.of(0xbe), "trailers")).not.toBeNull();
    const sizes = concat(integer(0, 5, 0x20), integer(4096, 5, 0x20));
    expect(decode(decoder, concat(sizes, Uint8Array.of(0xbe)), "trailers")).toBeNull();
  });
});

test("a table keeps what fits, newest first, and is emptied by what never fits", () => {
  const table = new HpackTable(100);
  const line = (value: string) => lineOf("name", value);
  table.add(line("1"));
  table.add(line("2"));
  expect([table.count, table.size]).toEqual([2, 74]);
  table.add(line("3"));
  expect([62, 63, 64].map((index) => table.at(index)?.bytes.length ?? 0)).toEqual([9, 9, 0]);
  table.add(line("x".repeat(100)));
  expect([table.count, table.size]).toEqual([0, 0]);
});

describe("the encoder", () => {
  function headOf(list: FieldList): HeadFields {
    const block = new HeadBlock();
    block.begin("trailers", new HeadFields(), 1 << 20);
    const bytes = blockOf(list);
    expect(new HpackDecoder(4096).decode(bytes, 0, bytes.length, block)).toBe(true);
    return block.fields;
  }

  function encode(encoder: HpackEncoder, list: FieldList): Uint8Array {
    encoder.begin();
    encoder.fields(headOf(list), { edits: noEdits, nominated: null, keepLength: true, replacedId: 0 }, false);
    return headBuffer.bytes.slice(frameHeaderBytes, headBuffer.end);
  }

  const names = fc.constantFrom(
    "accept",
    "x-request-id",
    "x-long",
    "traceparent",
    "authorization",
    "cookie",
    "etag",
  );
  const value = fc
    .stringMatching(/^[!-~]([ -~]{0,40}[!-~])?$/)
    .map((text) => (text.length > 30 ? text.repeat(40) : text));
  const field = fc.tuple(names, value);
  // Few values, so that fields come again.
  const messages = fc
    .array(field, { minLength: 1, maxLength: 6 })
    .chain((pool) => fc.array(fc.array(fc.constantFrom(...pool), { maxLength: 8 }), { maxLength: 30 }));

  test("writes what a decoder reads back, whatever came before and whatever size the table has", () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(5000), { maxLength: 30 }), (all, sizes) => {
        const encoder = new HpackEncoder(4096);
        const decoder = new HpackDecoder(4096);
        all.forEach((list, at) => {
          const size = sizes[at];
          if (size !== undefined) encoder.limitTable(size);
          const block = decode(decoder, encode(encoder, list), "trailers");
          const others = list.filter(([name]) => name !== "cookie");
          const crumbs = list.filter(([name]) => name === "cookie").map(([, text]) => text);
          const read = block === null ? null : listOf(block.fields);
          const joined: FieldList = crumbs.length > 0 ? [["cookie", crumbs.join("; ")]] : [];
          const order = (one: readonly [string, string], other: readonly [string, string]): number =>
            `${one}` < `${other}` ? -1 : 1;
          expect(read?.toSorted(order)).toEqual(
            [...others, ...joined].map((each) => [...each] as [string, string]).toSorted(order),
          );
        });
      }),
    );
  });

  test("sends a field that comes again as one byte from the third time on", () => {
    const encoder = new HpackEncoder(4096);
    const list: FieldList = [["x-tenant", "one"]];
    expect([1, 2, 3, 4].map(() => encode(encoder, list).length)).toEqual([14, 14, 1, 1]);
  });

  test("says te: trailers in requests whose sender did, among whatever else, and in nothing else", () => {
    const said = (te: string, asked: boolean): [string, string][] => {
      const encoder = new HpackEncoder(4096);
      encoder.begin();
      const writing = { edits: noEdits, nominated: null, keepLength: false, replacedId: 0 };
      encoder.fields(fieldsOf(`TE: ${te}`), writing, asked);
      const block = decode(
        new HpackDecoder(4096),
        headBuffer.bytes.slice(frameHeaderBytes, headBuffer.end),
        "trailers",
      );
      return block === null ? [] : listOf(block.fields);
    };
    for (const te of ["trailers", "Trailers", "gzip, trailers;q=1", "trailers ,gzip"])
      expect(said(te, true)).toEqual([["te", "trailers"]]);
    for (const te of ["gzip", "xtrailers", "trailersx", ""]) expect(said(te, true)).toEqual([]);
    expect(said("trailers", false)).toEqual([]);
  });

  test("tells the smallest size that its table had between two blocks, and the last", () => {
    const encoder = new HpackEncoder(4096);
    encoder.limitTable(100);
    encoder.limitTable(0);
    encoder.limitTable(5000);
    expect(encode(encoder, [])).toEqual(concat(integer(0, 5, 0x20), integer(4096, 5, 0x20)));
    expect(encode(encoder, [])).toEqual(new Uint8Array(0));
  });

  test("keeps secrets and volatile values out of the table, and lends the latter a name", () => {
    const encoder = new HpackEncoder(4096);
    const list: FieldList = [["authorization", "Bearer one"]];
    const secret = [1, 2, 3].map(() => encode(encoder, list));
    for (const block of secret) expect((block[0] as number) & 0xf0).toBe(0x10);
    const ids = ["one", "two", "six"].map((id) => encode(encoder, [["x-request-id", id]]).length);
    expect(ids).toEqual([18, 6, 6]);
  });
});

test("a block that refers to a large entry 60,000 times costs no more than one that does it 20 times", () => {
  const decoder = new HpackDecoder(4096);
  decode(decoder, literal("x-bomb", "b".repeat(4_000), 0x40), "trailers");
  const costOf = (references: number, status: number | null): number => {
    const bomb = new Uint8Array(references).fill(0xbe);
    const costs = Array.from({ length: 20 }, () => {
      const before = process.threadCpuUsage();
      const block = decode(decoder, bomb);
      const { user, system } = process.threadCpuUsage(before);
      expect(block === null ? null : block.refusal?.status).toBe(status);
      return user + system;
    });
    return Math.min(...costs);
  };
  costOf(20, 431);
  expect(costOf(60_000, null)).toBeLessThan(4 * costOf(20, 431) + 100);
});

describe("heads that come again", () => {
  const methods = fc.constantFrom("GET", "POST");
  const path = fc.constantFrom("/", "/a", "/b?c=1");
  const field = fc.tuple(
    fc.constantFrom("accept", "x-a", "x-request-id", "cookie", "authorization", "date", "te"),
    fc.constantFrom("trailers", "one", "two", "three".repeat(30)),
  );
  const head = fc.record({
    method: methods,
    path,
    fields: fc.array(field, { maxLength: 6 }),
    length: fc.option(fc.nat(99)),
  });
  type Head = typeof head extends fc.Arbitrary<infer T> ? T : never;
  /** How a field is sent, and which head of the pool it belongs to: runs of the same one, and turns. */
  const step = fc.record({
    at: fc.nat(3),
    times: fc.integer({ min: 1, max: 6 }),
    mark: fc.constantFrom(0, 0x10),
  });

  function listOfHead({ method, path: at, fields, length }: Head): FieldList {
    return [
      [":method", method],
      [":scheme", "http"],
      [":path", at],
      [":authority", "a.mesh"],
      ...(length === null ? [] : ([["content-length", String(length)]] as const)),
      ...fields,
    ];
  }

  function meaning(block: HeadBlock | null): unknown {
    if (block === null) return "broken";
    const { method, path: at, target, authority, contentLength, malformed, used } = block;
    return { method, at, target, authority, contentLength, malformed, used, fields: listOf(block.fields) };
  }

  test("mean what they mean to a decoder that sees each for the first time", () => {
    fc.assert(
      fc.property(
        fc.array(head, { minLength: 4, maxLength: 4 }),
        fc.array(step, { maxLength: 20 }),
        fc.array(fc.nat(30), { maxLength: 8 }),
        (pool, steps, kept) => {
          const decoder = new HpackDecoder(4096);
          // Of all that came, what entered the table: a decoder that has seen only that knows nothing by heart.
          const entered: Uint8Array[] = [];
          let count = 0;
          for (const { at, times, mark } of steps) {
            const list = listOfHead(pool[at] as Head);
            for (let time = 0; time < times; time++) {
              const enters = kept.includes(count++);
              const indexed = enters ? [literal("x-entered", String(count), 0x40)] : [];
              const bytes = concat(...list.map(([name, value]) => literal(name, value, mark)), ...indexed);
              const fresh = new HpackDecoder(4096);
              for (const each of entered) decode(fresh, each, "trailers");
              expect(meaning(decode(decoder, bytes))).toEqual(meaning(decode(fresh, bytes)));
              entered.push(...indexed);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("mean what they meant before when indices have moved", () => {
    const decoder = new HpackDecoder(4096);
    const list = listOfHead({ method: "GET", path: "/", fields: [], length: null });
    const request = concat(...list.map(([name, value]) => literal(name, value)), Uint8Array.of(0xbe));
    decode(decoder, literal("x-a", "one", 0x40), "trailers");
    for (let time = 0; time < 5; time++)
      expect(listOf((decode(decoder, request) as HeadBlock).fields)).toEqual([["x-a", "one"]]);
    decode(decoder, literal("x-a", "two", 0x40), "trailers");
    expect(listOf((decode(decoder, request) as HeadBlock).fields)).toEqual([["x-a", "two"]]);
  });

  test("are known by heart, and share their fields", () => {
    const decoder = new HpackDecoder(4096);
    const list = listOfHead({ method: "GET", path: "/", fields: [["x-a", "one"]], length: null });
    const request = concat(...list.map(([name, value]) => literal(name, value)));
    const heads = [1, 2, 3, 4].map(() => (decode(decoder, request) as HeadBlock).fields);
    expect(heads[3]).toBe(heads[2] as HeadFields);
    const longer = decode(decoder, concat(request, literal("x-request-id", "7"))) as HeadBlock;
    expect(longer.fields.interned).toBe(heads[2] as HeadFields);
    for (let time = 0; time < 2; time++)
      expect(["x-a", "x-request-id", "x-b"].map((name) => longer.fields.get(name))).toEqual([
        "one",
        "7",
        null,
      ]);
    expect(listOf(longer.fields)).toEqual([
      ["x-a", "one"],
      ["x-request-id", "7"],
    ]);
  });

  test("cross to another connection unchanged, whatever is left out and set there", () => {
    const edits = fc.record({
      remove: fc.constantFrom<string[]>([], ["x-a"]),
      set: fc.constantFrom<string[]>([], ["x-request-id", "new"], ["date", "now", "accept", "all"]),
      add: fc.constant<string[]>([]),
    });
    const way = fc.record({
      edits,
      nominated: fc.constantFrom(null, ["x-a"]),
      keepLength: fc.boolean(),
      replacedId: fc.constant(0),
    });
    fc.assert(
      fc.property(
        fc.array(head, { minLength: 4, maxLength: 4 }),
        fc.array(fc.tuple(step, way), { maxLength: 20 }),
        (pool, steps) => {
          const [decoder, encoder, far] = [
            new HpackDecoder(4096),
            new HpackEncoder(4096),
            new HpackDecoder(4096),
          ];
          for (const [{ at, times, mark }, writing] of steps) {
            const list = listOfHead(pool[at] as Head);
            const bytes = concat(...list.map(([name, value]) => literal(name, value, mark)));
            for (let time = 0; time < times; time++) {
              const came = decode(decoder, bytes);
              if (came === null || came.malformed !== null) continue;
              const send = (by: HpackEncoder, fields: HeadFields): Uint8Array => {
                by.begin();
                by.fields(fields, writing, true);
                return headBuffer.bytes.slice(frameHeaderBytes, headBuffer.end);
              };
              const plain = came.fields.copy();
              plain.interned = null;
              const wanted = decode(new HpackDecoder(4096), send(new HpackEncoder(4096), plain), "trailers");
              const read = decode(far, send(encoder, came.fields), "trailers");
              expect(meaning(read)).toEqual(meaning(wanted));
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
