/** The listeners of a machine, closed and opened again all together, on the ports that they had. */
import type { Listener, ListenOptions, Net, Socket, SocketHandler } from "../../../runtime/contract.ts";

interface Door {
  readonly options: ListenOptions;
  readonly accept: (socket: Socket) => SocketHandler;
  listener: Listener | null;
}

export class Doors {
  readonly #doors: Door[] = [];

  constructor(readonly net: Pick<Net, "listen">) {}

  /** As `listen` of a `Net`. */
  listen(options: ListenOptions, accept: (socket: Socket) => SocketHandler): Listener {
    const listener = this.net.listen(options, accept);
    const { port } = listener;
    const door: Door = { options: { ...options, port }, accept, listener };
    this.#doors.push(door);
    return { port, close: () => close(door) };
  }

  close(): void {
    for (const door of this.#doors) close(door);
  }

  /** Opens what was closed. A port that somebody else has taken meanwhile stays shut. */
  reopen(): void {
    for (const door of this.#doors) {
      try {
        door.listener ??= this.net.listen(door.options, door.accept);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "ListenError") throw error;
      }
    }
  }
}

function close(door: Door): void {
  door.listener?.close();
  door.listener = null;
}
