/** Two sockets in memory that are connected with each other. */
import { FakeSocket } from "./fake_socket.ts";

/** One end of a pair: what is written to it is data at the other. */
export class PairedSocket extends FakeSocket {
  other: PairedSocket | null = null;

  static pair(): [PairedSocket, PairedSocket] {
    const [one, other] = [new PairedSocket(), new PairedSocket()];
    [one.other, other.other] = [other, one];
    return [one, other];
  }

  override write(bytes: Uint8Array, start = 0, end = bytes.length): number {
    const taken = Math.min(end - start, this.room);
    if (taken > 0) this.other?.handler.data(bytes.slice(start, start + taken));
    return taken;
  }
}
