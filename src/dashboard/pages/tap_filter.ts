/** The filter of live requests, from what stands in its fields. Pure. */
import type { TapFilter } from "../../api/questions.ts";
import { failure, success, type Result } from "../../base/result.ts";
import { parseDuration } from "../../base/duration.ts";
import { flags, type Flag } from "../../model/outcome.ts";
import { parseStatusRange } from "../../model/status_range.ts";

export interface FilterWords {
  readonly service: string;
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly path: string;
  readonly status: string;
  readonly slower: string;
  readonly flag: string;
}

export function filterOf(words: FilterWords): Result<TapFilter> {
  const { service, from, to, method, path, status, slower, flag } = words;
  const range = status === "" ? null : parseStatusRange(status);
  if (range === null && status !== "")
    return failure(`Cannot look for the status "${status}": expected 503, 5xx or 400-499`);
  const slowerMs = slower === "" ? null : parseDuration(/^\d+$/.test(slower) ? `${slower}ms` : slower);
  if (slower !== "" && slowerMs === null)
    return failure(
      `Cannot look for what is slower than "${slower}": expected a duration such as 100ms or 2s`,
    );
  if (path !== "" && !path.startsWith("/"))
    return failure(`Cannot look for the path "${path}": expected one such as /v1/x, or /v1/* for all below`);
  const wanted = flag === "" ? null : flag === "any" ? "any" : flag.toUpperCase();
  if (wanted !== null && wanted !== "any" && !(flags as readonly string[]).includes(wanted))
    return failure(`There is no flag "${flag}": expected any, or one of ${flags.join(" ")}`);
  return success({
    // One line for a request: its caller's proxy knows all of it.
    direction: "outbound",
    service: keyOrNull(service),
    from: keyOrNull(from),
    to: keyOrNull(to),
    method: method === "" ? null : method.toUpperCase(),
    path: path === "" ? null : path,
    status: range === null ? null : [...range],
    slowerMs,
    flag: wanted as Flag | "any" | null,
  });
}

/** `orders` is one of the namespace that most have. */
export function keyOrNull(name: string): string | null {
  if (name === "") return null;
  return name.includes(".") ? name : `${name}.default`;
}
