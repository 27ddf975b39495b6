/** Heads written by splicing: what stays is copied as it came, what is of this hop is left out. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { noEdits, type FieldEdits } from "../../../../src/wire/fields.ts";
import { HeadFields, idOf } from "../../../../src/wire/head_fields.ts";
import { FieldSection } from "../../../../src/wire/h1/field_section.ts";
import { RequestParser } from "../../../../src/wire/h1/request_head.ts";
import { mayBeTrailer, statusLine, writeFields } from "../../../../src/wire/h1/write_head.ts";
import { feed, fieldsOf, TextSink } from "../../../support/wire.ts";

interface Writing {
  readonly edits?: Partial<FieldEdits>;
  readonly nominated?: readonly string[];
  readonly keepLength?: boolean;
  readonly replacedId?: number;
}

function written(fields: HeadFields | null, writing: Writing = {}): string {
  const sink = new TextSink();
  const { edits = {}, nominated = null, keepLength = false, replacedId = 0 } = writing;
  writeFields(sink, fields, { edits: { ...noEdits, ...edits }, nominated, keepLength, replacedId });
  return sink.said;
}

function received(lines: string): HeadFields {
  const parser = new RequestParser({ hostOptional: true });
  if (feed(parser, [`GET / HTTP/1.0\r\n${lines}\r\n`]) <= 0) throw new Error(parser.problem?.reason);
  return parser.fields;
}

describe("fields that cross a hop", () => {
  test("are copied as they came, in order, octets above 127 too", () => {
    const lines = "X-One: 1\r\nx-TWO:\u00e9\u00ff\r\nX-One: again\r\nEmpty:\r\n";
    expect(written(received(lines))).toBe(lines);
  });

  test("lose the blanks around their values", () => {
    expect(written(received("A: 1\r\nX:  a b \t\r\nY:\t1\r\nZ: 2\r\nE: \t\r\n"))).toBe(
      "A: 1\r\nX: a b\r\nY: 1\r\nZ: 2\r\nE: \r\n",
    );
  });

  test("are not those of this hop, nor framing, nor what CGI would take for it", () => {
    const hop = [
      ...["Connection: x", "Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: trailers", "Trailer: X"],
      ...["Proxy-Authorization: b", "Proxy-Authenticate: b", "Upgrade: h2c", "HTTP2-Settings: a"],
      ...["Content-Length: 5", "Content_Length: 5", "transfer_Encoding: chunked"],
    ];
    expect(written(fieldsOf("A: 1", ...hop, "B: 2", "Transfer-Encoding: chunked"))).toBe("A: 1\r\nB: 2\r\n");
  });

  test("are not those that Connection named", () => {
    expect(written(received("X-Foo: 1\r\nx-foo: 2\r\nX-Food: 3\r\n"), { nominated: ["x-foo"] })).toBe(
      "X-Food: 3\r\n",
    );
  });

  test("keep a length that describes what is not sent", () => {
    expect(written(received("Content-Length: 5\r\nA: 1\r\n"), { keepLength: true })).toBe(
      "Content-Length: 5\r\nA: 1\r\n",
    );
  });

  test("make way for what the caller writes itself", () => {
    expect(written(received("Host: a\r\nA: 1\r\n"), { replacedId: idOf("host") })).toBe("A: 1\r\n");
  });
});

describe("edits", () => {
  test("remove, set and add", () => {
    const edits = { remove: ["gone"], set: ["X", "new"], add: ["Y", "more"] };
    expect(written(received("Gone: 1\r\nA: 1\r\nGONE: 2\r\nY: 1\r\n"), { edits })).toBe(
      "A: 1\r\nY: 1\r\nX: new\r\nY: more\r\n",
    );
    expect(written(received("X: old\r\nA: 1\r\nx: older\r\n"), { edits: { set: ["x", "new"] } })).toBe(
      "A: 1\r\nx: new\r\n",
    );
    expect(written(null, { edits })).toBe("X: new\r\nY: more\r\n");
  });
});

test("whatever was taken reads the same after it was written", () => {
  const token = fc.string({ unit: fc.constantFrom(..."aZ09!#$%&'*+-.^_`|~"), minLength: 1, maxLength: 20 });
  const value = fc.string({ unit: fc.constantFrom(...'aZ \t:,;="\u0080\u00ff'), maxLength: 30 });
  const names = ["", ...["connection", "te", "upgrade", "content_length", "x-forwarded-for", "expect"]];
  const name = fc.oneof(token, fc.constantFrom(...names.slice(1)));
  const line = fc.tuple(name, fc.constantFrom("", " ", "\t", "  "), value, fc.constantFrom("", " ", "\t"));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const head = lines
        .map(([field, before, said, after]) => `${field}:${before}${said}${after}\r\n`)
        .join("");
      const parser = new RequestParser({ hostOptional: true });
      fc.pre(feed(parser, [`GET / HTTP/1.0\r\n${head}\r\n`]) > 0);
      const once = written(parser.fields, { nominated: parser.framing.nominated ?? [] });
      expect(written(received(once))).toBe(once);
      const kept = (fields: HeadFields): string[] =>
        Array.from({ length: fields.count }, (_, at) => `${fields.nameAt(at)}: ${fields.valueAt(at)}`);
      const reread = kept(received(once));
      expect(kept(parser.fields).filter((each) => reread.includes(each))).toEqual(reread);
    }),
    { numRuns: 1_000 },
  );
});

test("trailers carry nothing that has its place in the head", () => {
  const refused = [
    ...[
      "host",
      "content-length",
      "content-type",
      "content_type",
      "transfer-encoding",
      "transfer_encoding",
      "te",
    ],
    ...[
      "authorization",
      "cookie",
      "set-cookie",
      "x-heddle-caller",
      "x_heddle_caller",
      "x-forwarded-for",
      "via",
    ],
    ...["proxy-authorization", "trailer", "connection", "if-match", "date", "location", "cache-control"],
  ];
  expect(refused.filter(mayBeTrailer)).toEqual([]);
  expect(["grpc-status", "x-checksum", "etag", "server-timing", "digest"].filter(mayBeTrailer)).toHaveLength(
    5,
  );
});

test("a status line names known statuses and keeps unknown ones", () => {
  expect(statusLine(200)).toBe("HTTP/1.1 200 OK\r\n");
  expect(statusLine(299)).toBe("HTTP/1.1 299 \r\n");
});

test("sections that come again are written like those that came once, whatever is left out and set", () => {
  const line = fc.constantFrom(
    "A: 1",
    "x-a:2",
    "X-B:  3 \t",
    "Connection: x-b",
    "Content-Length: 5",
    "Date: now",
  );
  const section = fc
    .array(line, { maxLength: 5 })
    .map((lines) => lines.map((each) => `${each}\r\n`).join(""));
  const writing = fc.record({
    edits: fc.constantFrom<Partial<FieldEdits>>(
      {},
      { remove: ["x-a"] },
      { remove: ["x-b"] },
      { remove: ["x-a", "date"] },
      { set: ["date", "then"] },
      { set: ["a", "9"] },
    ),
    keepLength: fc.boolean(),
    replacedId: fc.constantFrom(0, idOf("date")),
  });
  const turn = fc.record({ at: fc.nat(2), times: fc.integer({ min: 1, max: 6 }), writing });
  fc.assert(
    fc.property(fc.tuple(section, section, section), fc.array(turn, { maxLength: 12 }), (sections, turns) => {
      const read = new FieldSection();
      for (const { at, times, writing: how } of turns) {
        const text = `${sections[at]}\r\n`;
        const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
        for (let time = 0; time < times; time++) {
          if (read.read(bytes, 0, bytes.length, 0) <= 0) break;
          const { nominated } = read.framing;
          // Lists of their own, as requests have them.
          const own = structuredClone(how);
          const full = nominated === null ? own : { ...own, nominated };
          const plain = read.fields.copy();
          plain.interned = null;
          expect(written(read.fields, full)).toBe(written(plain, full));
        }
      }
    }),
  );
});
