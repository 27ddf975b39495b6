/** Where the body of a request goes that policies of the server's side want to see, until its app takes it. */
import type { ClientStream } from "../../http/exchange.ts";
import type { Fields } from "../../wire/fields.ts";
import type { HeldBody } from "./held_body.ts";

export class HeldRequest implements ClientStream {
  #stream: ClientStream | null = null;
  /** The stream took the last of it with room for more. */
  #room = false;

  constructor(
    readonly body: HeldBody,
    /** Whoever sends it may go on. */
    private readonly more: () => void,
  ) {}

  /** From now on the body goes to `stream`, from its beginning. */
  goOnTo(stream: ClientStream): void {
    this.#stream = stream;
    this.#room = true;
    this.body.pass((bytes, start, end) => (this.#room = stream.write(bytes, start, end)));
    if (this.body.over) stream.end(this.body.trailers);
    else if (this.#room) this.more();
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    if (this.#stream !== null) return this.#stream.write(bytes, start, end);
    // It may have gone on from inside.
    return this.body.data(bytes, start, end) || this.#room;
  }

  end(trailers: Fields | null): void {
    if (this.#stream === null) this.body.end(trailers);
    else this.#stream.end(trailers);
  }

  cancel(): void {
    this.body.close();
    this.#stream?.cancel();
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }
}
