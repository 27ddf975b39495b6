/** Ids of requests: unique in the mesh without coordination, cheap to make. */
import type { Random } from "../../../runtime/contract.ts";

/** Last digits, ready made: a number costs more to write than to look up. */
const digits: readonly string[] = Array.from({ length: 1_000 }, (_, at) => String(at).padStart(3, "0"));

export class RequestIds {
  readonly #prefix: string;
  #count = 0;
  #thousand = "";

  constructor(random: Random) {
    this.#prefix = [...random.bytes(8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  next(): string {
    const last = this.#count % 1_000;
    if (last === 0) this.#thousand = `${this.#prefix}-${this.#count / 1_000}`;
    this.#count++;
    return this.#thousand + (digits[last] as string);
  }
}

/** Whether an id that came may be kept: a token of at most 128 characters. */
export function isRequestId(text: string): boolean {
  if (text.length === 0 || text.length > 128) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const fine =
      (code >= 48 && code <= 57) ||
      (code >= 65 && code <= 90) ||
      (code >= 97 && code <= 122) ||
      code === 45 ||
      code === 46 ||
      code === 95;
    if (!fine) return false;
  }
  return true;
}
