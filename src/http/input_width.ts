/**
 * How much one read of a connection to an app brings. What was read has to be kept when nobody takes it, and the kernel would hand
 * out half a megabyte: it begins with little, and is lent more while reads come full and all of it is taken. It only grows: to
 * keep less than the app was told would lose what is under way.
 */
import type { Socket } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { Buffered } from "./buffered.ts";

export class InputWidth {
  #bytes: number = limits.inputBytes;
  #lent = 0;

  constructor(
    private readonly socket: Socket,
    private readonly buffered: Buffered,
  ) {
    this.#tell();
  }

  /** One read brought so many bytes, which were taken. */
  taken(bytes: number): void {
    // It may bring a little less than the kernel keeps.
    if (bytes * 2 <= this.#bytes || this.#bytes >= limits.inputBytesMax) return;
    const more = this.buffered.lend(this.#bytes, limits.inputBytesMax);
    if (more === 0) return;
    this.#bytes += more;
    this.#lent += more;
    this.#tell();
  }

  /** Nothing is under way: others may have what was lent. */
  giveBack(): void {
    if (this.#lent > 0) this.buffered.giveBack(this.#lent);
    this.#lent = 0;
  }

  #tell(): void {
    this.socket.limitInput(this.#bytes);
  }
}
