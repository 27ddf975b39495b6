/** The stream of a call whose policies see the bytes of its request on their way to the app. */
import type { ClientStream } from "../../http/exchange.ts";
import type { ExchangePolicies } from "./exchange_policies.ts";

export class WatchedStream implements ClientStream {
  constructor(
    readonly stream: ClientStream,
    readonly policies: ExchangePolicies,
  ) {}

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    this.policies.passes("request", bytes, start, end);
    return this.stream.write(bytes, start, end);
  }

  end(trailers: Parameters<ClientStream["end"]>[0]): void {
    this.stream.end(trailers);
  }

  cancel(): void {
    this.stream.cancel();
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }
}
