/** Request heads: what is taken, what is refused and with which status, and what of it is read. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { RequestParser } from "../../../../src/wire/h1/request_head.ts";
import { bytesOf, feed, requestVerdict } from "../../../support/wire.ts";

function parsed(text: string, hostOptional = false): RequestParser {
  const parser = new RequestParser({ hostOptional });
  if (feed(parser, [text]) <= 0) throw new Error(`refused: ${parser.problem?.reason ?? "incomplete"}`);
  return parser;
}

/** Status of the refusal; 0 when the head is taken, 1 when more is wanted. */
function statusOf(text: string, hostOptional = false): number {
  const parser = new RequestParser({ hostOptional });
  const consumed = feed(parser, [text]);
  return consumed < 0 ? (parser.problem?.status ?? -1) : consumed === 0 ? 1 : 0;
}

const get = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

describe("a request head", () => {
  test("is read as it stands, names without case and values without outer blanks", () => {
    const head = parsed(
      "POST /a?b=c HTTP/1.1\r\nHOST: A.Mesh:80\r\nX-One:\t 1 \t\r\nContent-Length: 7\r\n\r\n",
    );
    expect([head.method, head.target, head.path, head.authority]).toEqual([
      "POST",
      "/a?b=c",
      "/a",
      "a.mesh:80",
    ]);
    expect([head.contentLength, head.minor, head.persistent]).toEqual([7, 1, true]);
    expect([head.fields.get("x-one"), head.fields.nameAt(1)]).toEqual(["1", "x-one"]);
  });

  test("says how many bytes were its own, so that what follows is left alone", () => {
    const text = get("");
    const bytes = bytesOf(`${text}GET /next`);
    expect(new RequestParser({ hostOptional: false }).parse(bytes, 0, bytes.length)).toBe(text.length);
  });

  test("stays readable when the bytes it came in are overwritten", () => {
    const parser = new RequestParser({ hostOptional: false });
    const bytes = bytesOf(get("X: kept\r\n"));
    parser.parse(bytes, 0, bytes.length);
    bytes.fill(0x78);
    expect([parser.fields.get("x"), parser.authority, parser.target]).toEqual(["kept", "a", "/"]);
  });

  test("may follow a few empty lines, whatever the split between CR and LF", () => {
    const text = `\r\n\r\n${get("")}`;
    for (let cut = 0; cut <= text.length; cut++)
      expect(requestVerdict([text.slice(0, cut), text.slice(cut)])).toBe(requestVerdict([text]));
    expect(statusOf(text)).toBe(0);
    expect(statusOf(`\r\n\r\n\r\n\r\n\r\n${get("")}`)).toBe(400);
    expect(statusOf(`\n${get("")}`)).toBe(400);
    expect(statusOf(`\r${get("")}`)).toBe(400);
  });

  test("keeps the same text for equal hosts and targets, and never the text of another request", () => {
    const parser = new RequestParser({ hostOptional: true });
    const say = (text: string): string[] => {
      expect(feed(parser, [text])).toBe(text.length);
      return [parser.authority, parser.target];
    };
    expect(say("GET /a HTTP/1.1\r\nHost: one\r\n\r\n")).toEqual(["one", "/a"]);
    expect(say("GET http://two/b HTTP/1.1\r\nHost: one\r\n\r\n")).toEqual(["two", "/b"]);
    expect(say("GET /a HTTP/1.1\r\nHost: one\r\n\r\n")).toEqual(["one", "/a"]);
    expect(say("GET /c HTTP/1.0\r\n\r\n")).toEqual(["", "/c"]);
    expect(say("OPTIONS * HTTP/1.1\r\nHost: one\r\n\r\n")).toEqual(["one", "*"]);
  });
});

describe("the request line", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["GET / HTTP/1.0", 0],
    ["get / HTTP/1.1", 0],
    ["M-SEARCH / HTTP/1.1", 0],
    ["GET  / HTTP/1.1", 400],
    ["GET /  HTTP/1.1", 400],
    ["GET\t/ HTTP/1.1", 400],
    [" GET / HTTP/1.1", 400],
    ["GET / HTTP/1.1 ", 400],
    ["GET / http/1.1", 400],
    ["GET / HTTP/1", 400],
    ["GET / HTTP/01.1", 400],
    ["GET / HTTP/1.10", 400],
    ["GET / HTTP/ 1.1", 400],
    ["GET / HTTP/1,1", 400],
    ["GET / HTTP/1.2", 505],
    ["GET / HTTP/0.9", 505],
    ["GET / HTTP/2.0", 505],
    ["GET /", 400],
    ["GET HTTP/1.1", 400],
    ["(GET) / HTTP/1.1", 400],
    ["GE\u0000T / HTTP/1.1", 400],
    ["GET /a b HTTP/1.1", 400],
    ["GET /#a HTTP/1.1", 400],
    ["GET /\u00e9 HTTP/1.1", 400],
    ["GET /\u007f HTTP/1.1", 400],
    ["GET a HTTP/1.1", 400],
    ["GET * HTTP/1.1", 400],
    ["OPTIONS * HTTP/1.1", 0],
    ["CONNECT a:443 HTTP/1.1", 0],
    ["CONNECT a HTTP/1.1", 400],
    ["CONNECT /a HTTP/1.1", 400],
    ["CONNECT http://a:1/ HTTP/1.1", 400],
    ["GET ftp://a/ HTTP/1.1", 400],
    ["GET http:///a HTTP/1.1", 400],
    ["GET http://u@a/ HTTP/1.1", 400],
  ];
  for (const [line, status] of cases)
    test(`${JSON.stringify(line)} is ${status === 0 ? "taken" : `refused with ${status}`}`, () => {
      expect(statusOf(`${line}\r\nHost: a\r\n\r\n`)).toBe(status);
    });

  test("takes a method of the greatest length and a target of the greatest length, and no more", () => {
    const method = (length: number): number =>
      statusOf(`${"M".repeat(length)} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect([method(limits.methodBytesMax), method(limits.methodBytesMax + 1)]).toEqual([0, 501]);
    const target = (length: number): number =>
      statusOf(`GET /${"a".repeat(length - 1)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect([target(limits.targetBytesMax), target(limits.targetBytesMax + 1)]).toEqual([0, 414]);
  });

  test("with an absolute target means its authority, not the Host field", () => {
    const head = parsed("GET HTTP://B.mesh:8080/x?y HTTP/1.1\r\nHost: a\r\n\r\n");
    expect([head.authority, head.target]).toEqual(["b.mesh:8080", "/x?y"]);
    const empty = parsed("OPTIONS http://b.mesh HTTP/1.1\r\nHost: a\r\n\r\n");
    expect([empty.authority, empty.target]).toEqual(["b.mesh", "*"]);
    expect(parsed("GET http://b.mesh?q HTTP/1.1\r\nHost: a\r\n\r\n").target).toBe("/?q");
  });

  test("is refused as soon as it cannot become one, before it ends", () => {
    expect(statusOf("\u0016\u0003\u0001")).toBe(400);
    expect(statusOf("GET /\u0000")).toBe(400);
    expect(statusOf("GET / HTTQ")).toBe(400);
    expect(statusOf("GET / HTT")).toBe(1);
  });
});

describe("Host", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["Host: a\r\n", 0],
    ["Host: [::1]:80\r\n", 0],
    ["Host: 10.0.0.1:8080\r\n", 0],
    ["", 400],
    ["Host:\r\n", 400],
    ["Host: a\r\nHost: a\r\n", 400],
    ["Host: a\r\nHost: b\r\n", 400],
    ["Host: u@a\r\n", 400],
    ["Host: a/b\r\n", 400],
    ["Host: a, b\r\n", 400],
    ["Host: a b\r\n", 400],
    ["Host: a:\r\n", 400],
    ["Host: a:123456\r\n", 400],
    ["Host: \u00e9\r\n", 400],
  ];
  for (const [fields, status] of cases)
    test(`${JSON.stringify(fields)} is ${status === 0 ? "taken" : "refused"}`, () => {
      expect(statusOf(`GET / HTTP/1.1\r\n${fields}\r\n`)).toBe(status);
    });

  test("may be missing in HTTP/1.0 where the listener has one service", () => {
    expect(statusOf("GET / HTTP/1.0\r\n\r\n", true)).toBe(0);
    expect(statusOf("GET / HTTP/1.0\r\n\r\n", false)).toBe(400);
    expect(statusOf("GET / HTTP/1.1\r\n\r\n", true)).toBe(400);
  });
});

describe("a field line", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["X:1\r\n", 0],
    ["X:\r\n", 0],
    ["X: \u00e9\u0080\u00ff\r\n", 0],
    ["!#$%&'*+-.^_`|~09: 1\r\n", 0],
    [" X: 1\r\n", 400],
    ["X: 1\r\n folded\r\n", 400],
    ["X: 1\r\n\tfolded\r\n", 400],
    ["X : 1\r\n", 400],
    ["X\t: 1\r\n", 400],
    [": 1\r\n", 400],
    ["X\r\n", 400],
    ["X[: 1\r\n", 400],
    ["X\u00e9: 1\r\n", 400],
    ["X: a\u0000b\r\n", 400],
    ["X: a\u0001b\r\n", 400],
    ["X: a\u007fb\r\n", 400],
    ["X: a\rb\r\n", 400],
    ["X: a\nb\r\n", 400],
    ["X: a\n", 400],
    ["X: a\r", 400],
  ];
  for (const [field, status] of cases)
    test(`${JSON.stringify(field)} is ${status === 0 ? "taken" : `refused with ${status}`}`, () => {
      expect(statusOf(get(field))).toBe(status);
    });

  test("named like a member of every object is a field like any other", () => {
    const head = parsed(get("__proto__: 1\r\nconstructor: 2\r\nhasOwnProperty: 3\r\n"));
    expect(head.fields.get("__proto__")).toBe("1");
    expect(head.fields.get("constructor")).toBe("2");
    expect(head.fields.get("hasownproperty")).toBe("3");
    expect(parsed(get("")).fields.get("constructor")).toBeNull();
  });

  test("is one of a bounded number, and all of them together are bounded", () => {
    const many = (count: number): number => statusOf(get("A: b\r\n".repeat(count)));
    expect([many(limits.fieldCountMax - 1), many(limits.fieldCountMax)]).toEqual([0, 431]);
    const long = (bytes: number): number =>
      statusOf(get(`A: ${"b".repeat(bytes - get("A: \r\n").length)}\r\n`));
    expect([long(limits.requestHeadBytesMax), long(limits.requestHeadBytesMax + 1)]).toEqual([0, 431]);
  });

  test("beyond the limit is not looked at, so a fault there changes nothing", () => {
    const text = get(`A: ${"b".repeat(limits.requestHeadBytesMax)}\r\nB : 1\r\n`);
    expect(statusOf(text)).toBe(431);
    expect(requestVerdict([text])).toBe(
      requestVerdict([text.slice(0, limits.requestHeadBytesMax + 1), text.slice(-8)]),
    );
  });
});

describe("an upgrade", () => {
  const socket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  test("is asked for by Upgrade and Connection together, in HTTP/1.1", () => {
    expect(
      parsed(get("Upgrade: WebSocket\r\nConnection: x, Upgrade\r\nSec-WebSocket-Version: 13\r\n")).upgrade,
    ).toBe("websocket");
    expect(parsed(get("Upgrade: websocket\r\n")).upgrade).toBeNull();
    expect(parsed(get("Connection: upgrade\r\n")).upgrade).toBeNull();
    // Nobody is taken to have sent CONNECT by a field.
    expect(parsed(get("Upgrade: Connect\r\nConnection: upgrade\r\n")).upgrade).toBeNull();
    expect(parsed(`GET / HTTP/1.0\r\nHost: a\r\n${socket}\r\n`).upgrade).toBeNull();
  });

  test("never makes a CONNECT of another method", () => {
    for (const asked of ["connect", "CONNECT", "h2c, Connect"]) {
      expect(parsed(get(`Upgrade: ${asked}\r\nConnection: Upgrade\r\n`)).upgrade).toBeNull();
    }
    expect(parsed(get("Upgrade: connect,chat\r\nConnection: Upgrade\r\n")).upgrade).toBe("chat");
    expect(parsed(get("Upgrade: connect-x\r\nConnection: Upgrade\r\n")).upgrade).toBe("connect-x");
  });

  test("to what carries datagrams or packets is refused, wherever it stands in the list", () => {
    for (const asked of ["connect-udp", "Connect-UDP", "chat, connect-ip", "connect-udp,chat"])
      expect(requestVerdict([get(`Upgrade: ${asked}\r\nConnection: Upgrade\r\n`)])).toContain("501");
    expect(parsed(get("Upgrade: connect-udpx\r\nConnection: Upgrade\r\n")).upgrade).toBe("connect-udpx");
  });

  test("is never one to h2c, wherever that stands in the list", () => {
    const askedOf = (asked: string) =>
      parsed(get(`Upgrade: ${asked}\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n`))
        .upgrade;
    for (const asked of ["h2c", "H2C", " ,h2c,, ", "h2c, H2c"]) expect(askedOf(asked)).toBeNull();
    expect(askedOf("chat,H2C ,spdy/3.1")).toBe("chat, spdy/3.1");
    expect(askedOf("chat h2c")).toBe("chat");
    expect(askedOf("h2cx")).toBe("h2cx");
  });

  test("to WebSocket is a GET of version 13 (RFC 6455 section 4.1)", () => {
    expect(statusOf(get(socket))).toBe(0);
    expect(statusOf(`POST / HTTP/1.1\r\nHost: a\r\n${socket}\r\n`)).toBe(400);
    expect(statusOf(get("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n"))).toBe(
      400,
    );
    expect(statusOf(get("Upgrade: websocket\r\nConnection: Upgrade\r\n"))).toBe(400);
  });
});

describe("an expectation", () => {
  test("is met when it is 100-continue, in any case, in HTTP/1.1", () => {
    expect(parsed(get("Expect: 100-Continue\r\n")).expectContinue).toBe(true);
    expect(parsed("GET / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").expectContinue).toBe(false);
  });

  test("of HTTP/1.0 is of this hop: nobody behind it may take it for one", () => {
    const head = parsed("POST / HTTP/1.0\r\nHost: a\r\nExpect: foo\r\n\r\n");
    expect([head.expectContinue, head.framing.nominated]).toEqual([false, ["expect"]]);
  });

  test("of anything else is refused, also beside one that could be met", () => {
    expect(statusOf(get("Expect: foo\r\n"))).toBe(417);
    expect(statusOf(get("Expect: foo\r\nExpect: 100-continue\r\n"))).toBe(417);
    expect(statusOf(get("Expect: 100-continue\r\nExpect: foo\r\n"))).toBe(417);
  });
});
