/** Figures as people read them: short, of steady width, and "–" where there is none. */

export const none = "–";

/** Requests a second. */
export function rateText(rate: number): string {
  if (rate === 0) return "0";
  if (rate < 0.1) return "<0.1";
  if (rate < 10) return rate.toFixed(1);
  return rate < 10_000 ? rate.toFixed(0) : `${(rate / 1_000).toFixed(1)}k`;
}

/** Of a share; never 100% when something failed. */
export function percentText(share: number | null): string {
  if (share === null) return none;
  if (share === 1) return "100%";
  const percent = Math.min(99.99, share * 100);
  return `${percent >= 99 ? percent.toFixed(2) : percent.toFixed(1)}%`;
}

export function secondsText(seconds: number | null): string {
  return seconds === null ? none : msText(seconds * 1_000);
}

export function msText(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(0)} s`;
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms >= 10 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
}

export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1_000 && unit < units.length - 1) [value, unit] = [value / 1_000, unit + 1];
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`;
}

/** Of a time that is long: `3 d`, `5 h`, `12 min`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 60) return `${seconds.toFixed(0)} s`;
  if (seconds < 3_600) return `${(seconds / 60).toFixed(0)} min`;
  if (seconds < 2 * 86_400) return `${(seconds / 3_600).toFixed(0)} h`;
  return `${(seconds / 86_400).toFixed(0)} d`;
}

export function clockText(atMs: number): string {
  const at = new Date(atMs);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** `orders` of `orders.default`: the namespace that most have says nothing. */
export function shortKey(key: string): string {
  return key === "" ? "unknown" : key.replace(/\.default$/, "");
}

export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
