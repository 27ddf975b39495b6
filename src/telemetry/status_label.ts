/** The label of a status: an app may answer with any number, so what is not in common use counts with its class. */

/** As registered (RFC 9110 section 15 and IANA), and two that many servers use: 499, the client left, and 529, overloaded. */
const labelled: ReadonlySet<number> = new Set([
  ...[100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226],
  ...[300, 301, 302, 303, 304, 305, 307, 308],
  ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418],
  ...[421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499],
  ...[500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 529],
]);

/** `404`, or `4xx`; `0` when there was no answer. */
export function statusLabel(status: number): string {
  if (status === 0 || labelled.has(status)) return String(status);
  return status >= 100 && status < 1_000 ? `${Math.floor(status / 100)}xx` : "other";
}
