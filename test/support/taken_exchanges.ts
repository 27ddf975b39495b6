/** A handler that takes the body of every exchange and says nothing: a test answers, or sees why the client left. */
import type { ServerExchange } from "../../src/http/exchange.ts";

export class TakenExchanges {
  readonly all: ServerExchange[] = [];
  /** Why clients left. */
  readonly left: string[] = [];

  readonly handler = (exchange: ServerExchange): void => {
    this.all.push(exchange);
    exchange.accept({
      data() {},
      end() {},
      writable() {},
      aborted: (outcome) => void this.left.push(outcome.detail),
    });
  };
}
