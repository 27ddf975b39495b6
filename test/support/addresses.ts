/** Loopback addresses of one launching process: two that run side by side use different ones, and may use the same ports. */

/** 127.a.b.n: a and b from the pid. */
export function addressOf(index: number): string {
  return `127.${100 + ((process.pid >> 8) % 100)}.${process.pid & 255}.${index + 1}`;
}
