/** Ports of a proxy of several event loops: its keeper binds them and accepts nothing, whoever is handed their descriptors does. */
import type { BoundPort, Listener, ListenOptions, Net } from "../../runtime/contract.ts";

/** A port that stands. */
export interface StandingPort extends Pick<BoundPort, "descriptor" | "port"> {
  readonly host: string;
  /** False once it was given up: its descriptor may be something else. */
  readonly stands: boolean;
}

export interface BoundPortsOptions {
  /** Throws a `ListenError`. */
  readonly bind: (options: ListenOptions) => BoundPort;
  readonly opened: (port: StandingPort) => void;
  /** It is given up: resolves when one at most of those that it was handed to still has it. */
  readonly closed: (port: StandingPort) => Promise<void>;
  /** Whoever still has it lets go of it. */
  readonly left: (port: StandingPort) => void;
}

/** One that was given up, while others may have it. */
interface Leaving {
  readonly bound: BoundPort;
}

export class BoundPorts implements Pick<Net, "listen" | "adopt"> {
  readonly #standing = new Set<StandingPort>();
  readonly #leaving = new Map<string, Leaving>();

  constructor(readonly options: BoundPortsOptions) {}

  get all(): Iterable<StandingPort> {
    return this.#standing;
  }

  /** What is accepted there is others' business: the handler is never asked. */
  listen(options: ListenOptions): Listener {
    const { bind, opened } = this.options;
    const bound = this.#takeBack(options) ?? bind(options);
    const { descriptor, port } = bound;
    const standing = { host: options.host, port, descriptor, stands: true };
    this.#standing.add(standing);
    opened(standing);
    return {
      port,
      close: () => {
        if (!standing.stands) return;
        standing.stands = false;
        this.#standing.delete(standing);
        void this.#leave(standing, { bound });
      },
    };
  }

  /** What others still have is not free for another one to be bound there. */
  #takeBack({ host, port }: ListenOptions): BoundPort | null {
    const leaving = this.#leaving.get(`${host}:${port}`) ?? null;
    this.#leaving.delete(`${host}:${port}`);
    return leaving?.bound ?? null;
  }

  async #leave(port: StandingPort, leaving: Leaving): Promise<void> {
    const key = `${port.host}:${port.port}`;
    this.#leaving.set(key, leaving);
    await this.options.closed(port);
    if (this.#leaving.get(key) !== leaving) return;
    this.#leaving.delete(key);
    leaving.bound.close();
    this.options.left(port);
  }

  adopt(): Listener {
    throw new Error("A proxy of several event loops adopts no sockets that were opened for it");
  }
}
