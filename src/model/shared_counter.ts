/** Counters that policies of the whole mesh share, as proxies and the controller name them to each other among rates of services. */

/** No key of a service has a space. */
const form = /^policy ([1-9]\d{0,14})\/([1-9]\d{0,9}) [0-9a-f]{24}$/;

/** `digest`: of whose counter it is and of its key, 24 hexadecimal digits: keys may be secrets. */
export function sharedCounterName(limit: number, perMs: number, digest: string): string {
  return `policy ${limit}/${perMs} ${digest}`;
}

export function isSharedCounter(name: string): boolean {
  return form.test(name);
}

/** What all proxies together may take of it in a second; null: it is none. */
export function sharedCounterRate(name: string): number | null {
  const [, limit, perMs] = form.exec(name) ?? [];
  return limit === undefined ? null : (Number(limit) * 1_000) / Number(perMs);
}
