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
  readonly closed: (port: StandingPort) => void;
}

export class BoundPorts implements Pick<Net, "listen" | "adopt"> {
  readonly #standing = new Set<StandingPort>();

  constructor(readonly options: BoundPortsOptions) {}

  get all(): Iterable<StandingPort> {
    return this.#standing;
  }

  /** What is accepted there is others' business: the handler is never asked. */
  listen(options: ListenOptions): Listener {
    const { bind, opened, closed } = this.options;
    const bound = bind(options);
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
        bound.close();
        closed(standing);
      },
    };
  }

  adopt(): Listener {
    throw new Error("A proxy of several event loops adopts no sockets that were opened for it");
  }
}
