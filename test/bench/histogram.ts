/**
 * Latency histogram: log-linear, 64 cells per power of two, so within 1.6 % of the truth. Values are microseconds.
 * Recording costs a few instructions; merging is addition.
 */
const subBits = 6;
const sub = 1 << subBits;

export class Histogram {
  readonly #cells = new Uint32Array((32 - subBits) * sub);
  #count = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  get max(): number {
    return this.#max;
  }

  record(micros: number): void {
    const value = Math.max(0, Math.min(0x7fff_ffff, Math.round(micros)));
    const cell = cellOf(value);
    this.#cells[cell] = (this.#cells[cell] ?? 0) + 1;
    this.#count++;
    if (value > this.#max) this.#max = value;
  }

  add(other: Histogram): void {
    other.#cells.forEach((count, cell) => {
      this.#cells[cell] = (this.#cells[cell] ?? 0) + count;
    });
    this.#count += other.#count;
    this.#max = Math.max(this.#max, other.#max);
  }

  /** The value below which the share `quantile` (0 to 1) of all lies; 0 when empty. */
  quantile(quantile: number): number {
    const wanted = Math.max(1, Math.ceil(quantile * this.#count));
    let seen = 0;
    for (let cell = 0; cell < this.#cells.length; cell++) {
      seen += this.#cells[cell] ?? 0;
      if (seen >= wanted) return Math.min(this.#max, middleOf(cell));
    }
    return this.#max;
  }
}

function cellOf(value: number): number {
  if (value < sub) return value;
  const power = 31 - Math.clz32(value);
  return (power - subBits + 1) * sub + ((value >>> (power - subBits)) & (sub - 1));
}

function middleOf(cell: number): number {
  if (cell < sub) return cell;
  const shift = Math.floor(cell / sub) - 1;
  return (sub + (cell % sub) + 0.5) * 2 ** shift - 0.5;
}
