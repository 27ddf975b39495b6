/**
 * Runs the WebSocket cases, to be run by Node: `run_sockets.ts <http/1.1|h2> <host> <port> <authority>`. Prints by case what
 * the server said: every frame, and whether the connection came to its end.
 */
import { goodbye, socketCases, type SocketCase } from "./ws_cases.ts";
import { encodeFrame, FrameReader, openSocket, type Way } from "./ws_frames.ts";

const caseLimitMs = 5_000;
const [way = "", host = "", port = "", authority = ""] = process.argv.slice(2);

async function run(one: SocketCase): Promise<string[]> {
  const socket = await openSocket(way as Way, host, Number(port), authority);
  const reader = new FrameReader();
  return new Promise((resolve) => {
    let parted = false;
    const end = (how: string): void => {
      clearTimeout(late);
      socket.destroy();
      resolve([...reader.lines, how]);
    };
    const late = setTimeout(() => end("not over in time"), caseLimitMs);
    socket.on("data", (chunk: Buffer) => {
      reader.take(chunk);
      if (parted) return;
      if (reader.closed) socket.end(encodeFrame(goodbye));
      else if (reader.lines.length >= one.answers) socket.write(encodeFrame(goodbye));
      else return;
      parted = true;
    });
    socket.on("error", () => {});
    socket.on("close", () => end("over"));
    socket.on("end", () => socket.end());
    const all = Buffer.concat(one.frames.map(encodeFrame));
    const piece = one.pieceBytes ?? all.length;
    for (let at = 0; at < all.length; at += piece) socket.write(all.subarray(at, at + piece));
  });
}

const report: Record<string, readonly string[]> = {};
const waiting = [...socketCases];
await Promise.all(
  Array.from({ length: 8 }, async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const { name } = one;
      report[name] = await run(one).catch((error: Error) => [`failed: ${error.message}`]);
    }
  }),
);
const sorted = Object.fromEntries(socketCases.map(({ name }) => [name, report[name]]));
process.stdout.write(JSON.stringify(sorted), () => process.exit(0));
