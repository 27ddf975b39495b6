/**
 * The listeners of a machine, reconciled against what is wanted: what stands at a wanted address stays and is not touched, what is
 * missing is opened, what nobody wants is closed. Sockets that this process inherited, bound and listening, are taken where
 * their address is wanted. All of it can be closed and opened again, on the ports that it had.
 */
import type { Listener, ListenOptions, Net, Socket, SocketHandler } from "../../../runtime/contract.ts";

type Accept = (socket: Socket) => SocketHandler;

/** A listening socket that somebody else opened for this process: a service manager, or who was here before. */
export interface InheritedSocket {
  readonly descriptor: number;
  /** Where it is bound. */
  readonly host: string;
  readonly port: number;
}

interface Standing {
  /** As it was asked for; port 0 asks for any. */
  readonly asked: ListenOptions;
  /** The port that took effect. */
  port: number;
  accept: Accept;
  /** null while it is closed. */
  listener: Listener | null;
}

export class Listeners {
  #standing: Standing[] = [];
  #inherited: InheritedSocket[];

  constructor(
    readonly net: Pick<Net, "listen" | "adopt">,
    inherited: readonly InheritedSocket[] = [],
  ) {
    this.#inherited = [...inherited];
  }

  /**
   * `want` asks for all that is wanted, by `listen` of what it is given, which returns the port in the usual way; once it
   * returns, everything else is closed. Throws what it throws, mostly the `ListenError` of a port that is taken: all is as it was before.
   */
  reconcile<T>(want: (net: Pick<Net, "listen">) => T): T {
    const kept = new Map<Standing, Accept>();
    const opened: Standing[] = [];
    const taken = new Map<InheritedSocket, Standing>();
    const listen = (asked: ListenOptions, accept: Accept): Listener => {
      const there = this.#standing.find((one) => !kept.has(one) && isWanted(one, asked));
      if (there !== undefined) {
        kept.set(there, accept);
        return listenerOf(there);
      }
      const socket = this.#inherited.find((one) => !taken.has(one) && isAt(one, asked));
      const standing: Standing = { asked, port: asked.port, accept, listener: null };
      if (socket !== undefined) taken.set(socket, standing);
      else {
        standing.listener = this.net.listen(asked, (from) => standing.accept(from));
        standing.port = standing.listener.port;
      }
      opened.push(standing);
      return listenerOf(standing);
    };
    let result: T;
    try {
      result = want({ listen });
    } catch (error) {
      for (const standing of opened) close(standing);
      throw error;
    }
    for (const [standing, accept] of kept) standing.accept = accept;
    for (const standing of this.#standing) if (!kept.has(standing)) close(standing);
    for (const socket of this.#inherited) this.#adopt(socket, taken.get(socket));
    this.#inherited = [];
    this.#standing = [...kept.keys(), ...opened];
    return result;
  }

  close(): void {
    for (const standing of this.#standing) close(standing);
  }

  /** Opens what was closed. A port that somebody else has taken meanwhile stays shut. */
  reopen(): void {
    for (const standing of this.#standing) {
      const { asked, port } = standing;
      try {
        standing.listener ??= this.net.listen({ ...asked, port }, (socket) => standing.accept(socket));
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "ListenError") throw error;
      }
    }
  }

  /** One that nobody wants is closed: whoever stands in its queue is let go. */
  #adopt({ descriptor }: InheritedSocket, standing: Standing | undefined): void {
    const accept: Accept = (from) => (standing === undefined ? refuse(from) : standing.accept(from));
    const listener = this.net.adopt(descriptor, accept);
    if (standing === undefined) listener.close();
    else standing.listener = listener;
  }
}

function listenerOf(standing: Standing): Listener {
  return { port: standing.port, close: () => close(standing) };
}

function isAt(socket: InheritedSocket, { host, port }: ListenOptions): boolean {
  return socket.host === host && socket.port === port;
}

function isWanted({ asked, port, listener }: Standing, wanted: ListenOptions): boolean {
  const samePort = wanted.port === asked.port || wanted.port === port;
  return listener !== null && asked.host === wanted.host && samePort && asked.reusePort === wanted.reusePort;
}

function close(standing: Standing): void {
  standing.listener?.close();
  standing.listener = null;
}

function refuse(socket: Socket): SocketHandler {
  socket.reset();
  return { data() {}, drain() {}, end() {}, close() {} };
}
