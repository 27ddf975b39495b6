/** Times, sizes and shares as tables of traffic show them: short, and of a width that changes little. */

/** Milliseconds. */
export function msText(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)}s`;
  return ms >= 10 ? `${ms.toFixed(0)}ms` : `${ms.toFixed(1)}ms`;
}

/** Of a histogram: null where nothing was counted, Infinity above its last bucket. */
export function secondsText(seconds: number | null): string {
  if (seconds === null) return "-";
  return Number.isFinite(seconds) ? msText(seconds * 1_000) : ">10s";
}

export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value.toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}
