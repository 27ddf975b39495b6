/** The cases of HTTP/2 to HTTP/1 where proxies were fooled, and what else RFC 9113 sections 8.2 and 8.3 forbid. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { HeadBlock, type BlockKind } from "../../../../src/wire/h2/head_block.ts";
import { HpackDecoder } from "../../../../src/wire/h2/hpack_decoder.ts";
import { HeadFields } from "../../../../src/wire/head_fields.ts";
import { writeFields } from "../../../../src/wire/h1/write_head.ts";
import { noEdits } from "../../../../src/wire/fields.ts";
import { concat, getFields, literal, type FieldList } from "../../../support/h2_frames.ts";
import { TextSink } from "../../../support/wire.ts";

function read(kind: BlockKind, ...blocks: readonly Uint8Array[]): HeadBlock {
  const block = new HeadBlock();
  const bytes = concat(...blocks);
  block.begin(kind, new HeadFields(), limits.requestHeadBytesMax);
  expect(new HpackDecoder(4096).decode(bytes, 0, bytes.length, block)).toBe(true);
  block.finish();
  return block;
}

/** Both ways that a field can come: literally, and by an entry of the table made of it. */
function bothWays(kind: BlockKind, fields: FieldList): HeadBlock[] {
  const literally = fields.map(([name, value]) => literal(name, value));
  const kept = fields.map(([name, value]) => literal(name, value, 0x40));
  return [read(kind, ...literally), read(kind, ...kept)];
}

const without = (name: string): FieldList => getFields.filter(([each]) => each !== name);
const having = (name: string, value: string): FieldList =>
  getFields.map(([each, old]) => [each, each === name ? value : old]);
const plus = (...more: FieldList): FieldList => [...getFields, ...more];

describe("a request is malformed", () => {
  const cases: Readonly<Record<string, FieldList>> = {
    "with an upper-case name": plus(["X-Up", "1"]),
    "with a colon in a name": plus(["x:y", "1"]),
    "with a blank in a name": plus(["x y", "1"]),
    "with a control character in a name": plus(["x\u0001", "1"]),
    "with a name beyond ASCII": plus(["x\u00e9", "1"]),
    "with an empty name": plus(["", "1"]),
    "with CR in a value": plus(["x-a", "1\r2"]),
    "with LF in a value": plus(["x-a", "1\n2"]),
    "with NUL in a value": plus(["x-a", "1\u00002"]),
    "with another control character in a value": plus(["x-a", "1\u007f"]),
    "with a blank before a value": plus(["x-a", " 1"]),
    "with a tabulator behind a value": plus(["x-a", "1\t"]),
    "with Connection": plus(["connection", "close"]),
    "with Keep-Alive": plus(["keep-alive", "1"]),
    "with Proxy-Connection": plus(["proxy-connection", "close"]),
    "with Transfer-Encoding": plus(["transfer-encoding", "chunked"]),
    "with Upgrade": plus(["upgrade", "websocket"]),
    "with TE beyond trailers": plus(["te", "trailers, deflate"]),
    "with a pseudo-field behind a field": [["x-a", "1"], ...getFields],
    "with :method twice": plus([":method", "GET"]),
    "with :path twice": plus([":path", "/"]),
    "with :authority twice": plus([":authority", "a.mesh"]),
    "with an unknown pseudo-field": [[":other", "1"], ...getFields],
    "with :status": [[":status", "200"], ...getFields],
    "without :method": without(":method"),
    "without :scheme": without(":scheme"),
    "without :path": without(":path"),
    "without :authority and Host": without(":authority"),
    "with an empty :path": having(":path", ""),
    "with a :path without a slash": having(":path", "a"),
    "with * for another method than OPTIONS": having(":path", "*"),
    "with a fragment in :path": having(":path", "/a#b"),
    "with a blank in :path": having(":path", "/a b"),
    "with a line end in :path": having(":path", "/ HTTP/1.1\r\nx: y"),
    "with a byte beyond ASCII in :path": having(":path", "/\u00e9"),
    "with an escaped dot segment in :path": having(":path", "/%2e%2e/etc"),
    "with a blank in :method": having(":method", "GET /x"),
    "with an empty :method": having(":method", ""),
    "with user information in :authority": having(":authority", "u@a.mesh"),
    "with an empty :authority": having(":authority", ""),
    "with a Host that differs": plus(["host", "b.mesh"]),
    "with two Hosts": plus(["host", "a.mesh"], ["host", "a.mesh"]),
    "with Content-Length twice": plus(["content-length", "1"], ["content-length", "1"]),
    "with a Content-Length of letters": plus(["content-length", "0x1"]),
    "with a signed Content-Length": plus(["content-length", "+1"]),
    "with :protocol and another method than CONNECT": [[":protocol", "websocket"], ...getFields],
    "with CONNECT and :path": having(":method", "CONNECT"),
    "with CONNECT and no port": [
      [":method", "CONNECT"],
      [":authority", "a.mesh"],
    ],
  };
  for (const [what, fields] of Object.entries(cases))
    test(what, () => {
      for (const block of bothWays("request", fields)) expect(block.malformed).not.toBeNull();
    });
});

test("trailers have no pseudo-fields, answers no others than :status", () => {
  for (const block of bothWays("trailers", [[":status", "200"]])) expect(block.malformed).not.toBeNull();
  for (const fields of [
    [],
    [[":status", "20"]],
    [[":status", "2000"]],
    [[":status", "abc"]],
    [[":status", "099"]],
    [
      [":status", "200"],
      [":path", "/"],
    ],
  ] as FieldList[])
    for (const block of bothWays("response", fields)) expect(block.malformed).not.toBeNull();
});

test("a request is read whole: normal target, authority in lower case, from Host when it stands alone", () => {
  for (const block of bothWays("request", [
    [":method", "POST"],
    [":scheme", "https"],
    [":path", "/a/../b?c=%7e"],
    ["host", "A.mesh:80"],
    ["content-length", "5"],
    ["expect", "100-continue"],
    ["te", "trailers"],
  ])) {
    expect(block.malformed).toBeNull();
    const { method, target, path, authority, contentLength, expectContinue, upgrade } = block;
    expect({ method, target, path, authority, contentLength, expectContinue, upgrade }).toEqual({
      method: "POST",
      target: "/b?c=%7e",
      path: "/b",
      authority: "a.mesh:80",
      contentLength: 5,
      expectContinue: true,
      upgrade: null,
    });
  }
});

test("CONNECT leads to an authority; Extended CONNECT is an upgrade", () => {
  const [connect] = bothWays("request", [
    [":method", "CONNECT"],
    [":authority", "a.mesh:443"],
  ]);
  expect([connect?.upgrade, connect?.authority, connect?.target]).toEqual(["connect", "a.mesh:443", ""]);
  const [extended] = bothWays("request", [[":protocol", "WebSocket"], ...having(":method", "CONNECT")]);
  expect([extended?.method, extended?.upgrade, extended?.target]).toEqual(["GET", "websocket", "/"]);
});

test("what is well-formed but too much is refused with a status", () => {
  const many = Array.from({ length: limits.fieldCountMax }, () => ["a", "b"] as const);
  const crumbs = Array.from({ length: limits.fieldCountMax }, () => ["cookie", "a=b"] as const);
  const cases: readonly (readonly [FieldList, number])[] = [
    [plus(...many), 431],
    [plus(...crumbs), 431],
    [plus(["x-a", "b".repeat(limits.requestHeadBytesMax)]), 431],
    [having(":path", `/${"a".repeat(limits.targetBytesMax)}`), 414],
    [having(":method", "A".repeat(limits.methodBytesMax + 1)), 501],
    [[[":protocol", "Connect"], ...having(":method", "CONNECT")], 501],
    [[[":protocol", "H2c"], ...having(":method", "CONNECT")], 501],
    [[[":protocol", "Connect-UDP"], ...having(":method", "CONNECT")], 501],
    [[[":protocol", "connect-ip"], ...having(":method", "CONNECT")], 501],
    [plus(["expect", "something"]), 417],
  ];
  for (const [fields, status] of cases)
    for (const block of bothWays("request", fields)) {
      expect(block.malformed).toBeNull();
      expect(block.refusal?.status).toBe(status);
    }
});

describe("references to one large entry", () => {
  const bytesEach = 4_035;
  const bomb = (references: number): Uint8Array =>
    concat(
      ...getFields.map(([name, value]) => literal(name, value)),
      literal("x-a", "b".repeat(4_000), 0x40),
      new Uint8Array(references).fill(0xbe),
    );

  test("are refused over the limit, and nothing beyond it is kept", () => {
    const references = Math.floor((limits.h2HeadExcessMax * limits.requestHeadBytesMax) / bytesEach) - 2;
    const block = read("request", bomb(references));
    expect([block.refusal?.status, block.excessive]).toEqual([431, false]);
    expect(block.fields.bytes.length).toBeLessThan(4 * limits.requestHeadBytesMax);
  });

  test("are not decoded to their end once they come to several times the limit", () => {
    const bytes = bomb(20_000);
    const block = new HeadBlock();
    block.begin("request", new HeadFields(), limits.requestHeadBytesMax);
    expect(new HpackDecoder(4096).decode(bytes, 0, bytes.length, block)).toBe(false);
    expect(block.excessive).toBe(true);
    expect(block.fields.bytes.length).toBeLessThan(4 * limits.requestHeadBytesMax);
  });
});

test("crumbs become one Cookie, and an HTTP/1 head is written from what came", () => {
  const [block] = bothWays(
    "request",
    plus(["cookie", "a=1"], ["x-first", "One"], ["cookie", "b=2"], ["cookie", "c=3"], ["x-last", ""]),
  );
  const sink = new TextSink();
  writeFields(sink, block?.fields ?? null, {
    edits: noEdits,
    nominated: null,
    keepLength: false,
    replacedId: 0,
  });
  expect(sink.said).toBe("x-first: One\r\nx-last: \r\ncookie: a=1; b=2; c=3\r\n");
});

test("crumbs without a value leave no trace in the Cookie that they become", () => {
  const cookieOf = (...values: readonly string[]): string | null =>
    bothWays("request", plus(...values.map((value) => ["cookie", value] as const)))[0]?.fields.get(
      "cookie",
    ) ?? null;
  expect(cookieOf("", "a=1", "", "b=2", "")).toBe("a=1; b=2");
  expect(cookieOf("", "")).toBe("");
});
