/** Opaque bytes through a mesh. */
import { hangMs } from "./patience.ts";

/** Sends the text, then FIN; returns all that came back until the far side closed, or within the limit. */
export async function talk(host: string, port: number, text: string, limitMs = hangMs): Promise<string> {
  const bytes = Buffer.from(text, "latin1");
  const chunks: Buffer[] = [];
  let sent = 0;
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => finish(), limitMs);
    const finish = (): void => {
      clearTimeout(limit);
      resolve(Buffer.concat(chunks).toString("latin1"));
    };
    const send = (socket: { write(chunk: Buffer): number; shutdown(): void }): void => {
      if (sent === bytes.length) return;
      sent += Math.max(0, socket.write(bytes.subarray(sent)));
      if (sent === bytes.length) socket.shutdown();
    };
    Bun.connect({
      hostname: host,
      port,
      allowHalfOpen: true,
      socket: {
        open: send,
        drain: send,
        data: (_socket, chunk) => void chunks.push(Buffer.from(chunk)),
        end: (socket) => void socket.end(),
        close: finish,
        error: finish,
      },
    }).catch(reject);
  });
}
