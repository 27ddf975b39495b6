/**
 * Many bytes over one opaque connection, to be run by Node: `run_opaque_bulk.ts <down|up> <host> <port> <bytes>`. Prints how many
 * arrived at the other end and whether they were the right ones. Holds no more than a piece.
 */
import { connect } from "node:net";
import { checksBytes, sendPattern } from "./pattern.ts";
import type { Bulk } from "./run_bulk.ts";

const [direction = "", host = "", port = "0", count = "0"] = process.argv.slice(2);
const total = Number(count);
const socket = connect({ host, port: Number(port), allowHalfOpen: true });

function report(bulk: Bulk): void {
  process.stdout.write(JSON.stringify(bulk), () => process.exit(0));
}

function takeAll(): void {
  const check = checksBytes();
  socket.write(`down ${total}\n`);
  socket.on("data", (chunk: Buffer) => check.take(chunk));
  socket.on("end", () => report({ bytes: check.bytes, whole: check.whole }));
}

function sendAll(): void {
  const answer: Buffer[] = [];
  socket.write("up\n");
  sendPattern(socket, total);
  socket.on("data", (chunk: Buffer) => answer.push(chunk));
  socket.on("end", () => report(JSON.parse(Buffer.concat(answer).toString()) as Bulk));
}

socket.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
socket.on("connect", () => (direction === "down" ? takeAll() : sendAll()));
