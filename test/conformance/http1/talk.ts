/** Sends one case to a subject in given pieces and notes everything that can be seen from outside. */
import type { Net, Socket } from "../../../runtime/contract.ts";
import { bytesOf, textOf } from "../../support/wire.ts";
import type { RawBackend } from "./backend.ts";
import { follower, type Case } from "./case.ts";
import { readMessage, type Message } from "./message.ts";

/** A proxy in front of the raw backend. */
export interface Subject {
  readonly net: Net;
  readonly backend: RawBackend;
  /** Where each door listens. */
  address(door: "all" | "one"): { readonly host: string; readonly port: number };
  /** Lets what was written arrive. */
  turn(): Promise<void>;
  /** Long enough that what the backend says unasked has arrived. */
  rest(): Promise<void>;
  /** Until the condition holds; false when it does not within the time the subject allows. */
  wait(condition: () => boolean): Promise<boolean>;
}

export interface Seen {
  /** Whole answers, interim ones included. */
  readonly answers: readonly Message[];
  /** Octets behind them. */
  readonly rest: string;
  /** `open`: the connection did not end in time. */
  readonly end: "closed" | "reset" | "open";
  /** What reached the backend whole. */
  readonly requests: readonly Message[];
  /** The connection that carried the first of them is open still. */
  readonly backendOpen: boolean;
}

/** How a part is cut into writes. */
export type Cutting = (part: string) => readonly string[];

export const whole: Cutting = (part) => [part];

/** One octet per write; of long parts only the ends, the middle in odd lumps. */
export const bytewise: Cutting = (part) => {
  const edge = 600;
  if (part.length <= 2 * edge) return [...part];
  const pieces = [...part.slice(0, edge)];
  for (let at = edge; at < part.length - edge; at += 97)
    pieces.push(part.slice(at, Math.min(at + 97, part.length - edge)));
  return [...pieces, ...part.slice(-edge)];
};

class Client {
  text = "";
  ended = false;
  closed = false;
  reset = false;
  #waiting: Uint8Array[] = [];

  constructor(readonly socket: Socket) {}

  send(piece: string): void {
    this.#waiting.push(bytesOf(piece));
    this.drain();
  }

  get sent(): boolean {
    return this.#waiting.length === 0 || this.closed;
  }

  data(chunk: Uint8Array): void {
    this.text += textOf(chunk);
  }

  drain(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const taken = this.socket.write(first);
      if (taken === first.length) this.#waiting.shift();
      else {
        if (taken > 0) this.#waiting[0] = first.subarray(taken);
        if (taken < 0) this.#waiting = [];
        return;
      }
    }
  }

  end(): void {
    this.ended = true;
    this.socket.shutdown();
  }

  close(error: { readonly kind: string } | null): void {
    this.closed = true;
    this.reset = error !== null;
  }
}

export async function talk(subject: Subject, one: Case, cut: Cutting): Promise<Seen> {
  const { backend } = subject;
  backend.begin(one.backend ?? {});
  const client = await dial(subject, one);
  const parts = one.follows === false ? one.sends : withFollower(one);
  for (const [index, part] of parts.entries()) {
    if (index > 0) {
      await subject.wait(() => client.closed || answersIn(client, one).answers.length >= index);
      await (one.backend?.blurts === undefined ? subject.turn() : subject.rest());
    }
    for (const piece of cut(part)) {
      if (client.closed) break;
      client.send(piece);
      await subject.turn();
    }
    await subject.wait(() => client.sent);
  }
  if (one.leaves === true) client.socket.shutdown();
  await subject.wait(() => client.closed);
  await subject.turn();
  if (one.expects.backendCloses === true) await subject.wait(() => backend.openAfterFirst === 0);
  const end = !client.closed ? "open" : client.reset ? "reset" : "closed";
  if (!client.closed) client.socket.reset();
  await subject.turn();
  const { answers, rest } = answersIn(client, one);
  return { answers, rest, end, requests: backend.requests, backendOpen: backend.openAfterFirst > 0 };
}

function withFollower(one: Case): readonly string[] {
  const last = one.sends.length - 1;
  if (one.backend?.blurts !== undefined) return [...one.sends, follower];
  return one.sends.map((part, at) => (at === last ? part + follower : part));
}

function dial(subject: Subject, one: Case): Promise<Client> {
  return new Promise((resolve, reject) => {
    subject.net.connect(
      { ...subject.address(one.door ?? "all"), timeoutMs: 2_000 },
      {
        opened: (socket) => {
          const client = new Client(socket);
          resolve(client);
          return client;
        },
        failed: (error) => reject(new Error(`Cannot reach the subject: ${error.message}`)),
      },
    );
    void subject.turn();
  });
}

function answersIn(client: Client, one: Case): { answers: Message[]; rest: string } {
  const answers: Message[] = [];
  let at = 0;
  let finals = 0;
  for (;;) {
    const method = finals === 0 ? (one.method ?? "GET") : "GET";
    const read = readMessage(client.text, at, { method, ended: client.ended });
    if (typeof read === "string") return { answers, rest: client.text.slice(at) };
    answers.push(read);
    if (read.status >= 200) finals++;
    at = read.end;
    if (read.status === 101) return { answers, rest: client.text.slice(at) };
  }
}
