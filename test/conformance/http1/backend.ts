/** A backend made of raw sockets: keeps the exact octets that reach it, and answers as a case tells it to. */
import type { Listener, Net, Socket, SocketHandler } from "../../../runtime/contract.ts";
import { bytesOf, textOf } from "../../support/wire.ts";
import type { BackendPlan } from "./case.ts";
import { readMessage, valueOf, type Message } from "./message.ts";

const plain = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const plainHead = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";

export class RawBackend {
  readonly port: number;
  readonly #listener: Listener;
  /** Of the case under way. */
  plan: BackendPlan = {};
  requests: Message[] = [];
  /** Connections that carried the first request of the case and are open still. */
  openAfterFirst = 0;
  #partial = new Set<Visit>();

  /** `later`: runs a call once what was said before has arrived. */
  constructor(
    readonly net: Net,
    readonly later: (call: () => void) => void,
    at: { readonly host: string; readonly port: number },
  ) {
    this.#listener = net.listen(at, (socket) => new Visit(socket, this));
    this.port = this.#listener.port;
  }

  begin(plan: BackendPlan): void {
    this.plan = plan;
    this.requests = [];
    this.openAfterFirst = 0;
  }

  /** Octets of requests that are not whole. */
  get partial(): string[] {
    return [...this.#partial].map((visit) => visit.rest);
  }

  noteRest(visit: Visit): void {
    if (visit.rest === "") this.#partial.delete(visit);
    else this.#partial.add(visit);
  }

  answer(message: Message, socket: Socket): void {
    const { plan } = this;
    const first = this.requests.length === 0;
    this.requests.push(message);
    if (!first || plan.says === undefined) {
      say(socket, message.line.startsWith("HEAD ") ? plainHead : plain);
    } else {
      say(socket, plan.says);
      if (plan.closes === true) socket.shutdown();
    }
    const { blurts } = plan;
    if (first && blurts !== undefined) this.later(() => say(socket, blurts));
  }

  close(): void {
    this.#listener.close();
  }
}

function say(socket: Socket, text: string): void {
  socket.write(bytesOf(text));
}

class Visit implements SocketHandler {
  rest = "";
  #first = false;
  #continued = false;

  constructor(
    readonly socket: Socket,
    readonly backend: RawBackend,
  ) {}

  data(chunk: Uint8Array): void {
    this.rest += textOf(chunk);
    this.#continue();
    for (;;) {
      const read = readMessage(this.rest, 0, { method: null, ended: false });
      if (typeof read === "string") break;
      this.rest = this.rest.slice(read.end);
      this.#continued = false;
      if (this.backend.requests.length === 0) {
        this.#first = true;
        this.backend.openAfterFirst++;
      }
      this.backend.answer(read, this.socket);
    }
    this.backend.noteRest(this);
  }

  #continue(): void {
    if (this.#continued || this.backend.plan.continues !== true) return;
    const headEnd = this.rest.indexOf("\r\n\r\n");
    const lines = this.rest.slice(0, headEnd).toLowerCase().split("\r\n");
    if (headEnd < 0 || valueOf(lines, "expect") !== "100-continue") return;
    this.#continued = true;
    say(this.socket, "HTTP/1.1 100 Continue\r\n\r\n");
  }

  drain(): void {}

  end(): void {
    this.socket.shutdown();
  }

  close(): void {
    this.rest = "";
    this.backend.noteRest(this);
    if (this.#first) this.backend.openAfterFirst--;
  }
}
