/** How many exchanges with one destination may be under way: beyond it they are refused at once, not queued. */
import { limits } from "../../model/limits.ts";

export class Admission {
  #active = 0;

  /** False when the destination has its fill; else pair with `leave`. */
  enter(): boolean {
    if (this.#active >= limits.requestsMax) return false;
    this.#active++;
    return true;
  }

  leave(): void {
    this.#active--;
  }
}
