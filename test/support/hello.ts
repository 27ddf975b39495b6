/** The first bytes of TLS clients: captured from a real one, or spread over records as a test wants them. */
import { createServer } from "node:net";
import { connect } from "node:tls";

/** What a real client sends first. */
export function captureHello(servername: string, protocols: readonly string[]): Promise<Uint8Array> {
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
      const named = servername === "" ? {} : { servername };
      connect({ host: "127.0.0.1", port, ...named, ALPNProtocols: [...protocols] }).on("error", () => {});
    });
  });
}

/** The handshake bytes in records that end at the given places. */
export function inRecords(payload: Uint8Array, cuts: readonly number[]): Uint8Array {
  const ends = [...cuts].sort((a, b) => a - b).concat(payload.length);
  const bytes: number[] = [];
  let from = 0;
  for (const end of ends) {
    const part = payload.subarray(from, end);
    bytes.push(0x16, 3, 1, part.length >> 8, part.length & 255, ...part);
    from = end;
  }
  return Uint8Array.from(bytes);
}
