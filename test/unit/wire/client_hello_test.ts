import { expect, test } from "bun:test";
import { connect as tlsConnect } from "node:tls";
import { createServer } from "node:net";
import { readClientHello } from "../../../src/wire/client_hello.ts";

/** The first bytes that a real TLS client sends. */
function captureHello(servername: string, protocols: string[]): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once("data", (chunk) => {
        resolve(Uint8Array.from(chunk as Buffer));
        socket.destroy();
        server.close();
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      tlsConnect({ host: "127.0.0.1", port, servername, ALPNProtocols: protocols }).on("error", () => {});
    });
  });
}

const hello = await captureHello("Orders.default.mesh", ["h2", "http/1.1"]);

test("server name and ALPN of a real client are read, in lower case", () => {
  expect(readClientHello(hello)).toEqual({
    kind: "hello",
    serverName: "orders.default.mesh",
    alpn: ["h2", "http/1.1"],
  });
});

test("every shorter prefix asks for more, and nothing throws", () => {
  for (let length = 0; length < hello.length; length++)
    expect(readClientHello(hello.subarray(0, length)).kind).toBe("more");
});

test("a ClientHello over several records reads the same", () => {
  const payload = hello.subarray(5);
  const cut = 100;
  const record = (part: Uint8Array): number[] => [0x16, 3, 1, part.length >> 8, part.length & 255, ...part];
  const split = Uint8Array.from([...record(payload.subarray(0, cut)), ...record(payload.subarray(cut))]);
  expect(readClientHello(split)).toEqual(readClientHello(hello));
});

test("plain HTTP is told apart, and damaged bytes never throw", () => {
  expect(readClientHello(new TextEncoder().encode("GET / HTTP/1.1\r\n")).kind).toBe("plain");
  for (let at = 0; at < hello.length; at++) {
    for (const value of [0, 1, 127, 255]) {
      const damaged = hello.slice();
      damaged[at] = value;
      readClientHello(damaged);
    }
  }
});
