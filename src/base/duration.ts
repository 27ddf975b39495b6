/** Durations as people write them in documents and flags (Gateway API, GEP-2257): `1h30m`, `500ms`, up to four parts. */
const wholeForm = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;
const partForm = /([0-9]{1,5})(ms|h|m|s)/g;

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** In milliseconds; null when the text is no duration. */
export function parseDuration(text: string): number | null {
  if (!wholeForm.test(text)) return null;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(partForm)) ms += Number(count) * (unitMs[unit ?? ""] ?? 0);
  return ms;
}

/** The shortest text that `parseDuration` reads back, for whole milliseconds below 100 000 hours. */
export function formatDuration(ms: number): string {
  let rest = ms;
  let text = "";
  for (const [unit, size] of Object.entries(unitMs)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text === "" ? "0s" : text;
}

/** `3 h 12 min`, `41 s`: how people say it. */
export function humanDuration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.round(hours / 24)} days`;
}
