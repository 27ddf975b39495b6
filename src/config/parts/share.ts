/** Which part of the requests something is for: `percent`, or the Gateway API's `fraction`. */
import * as v from "valibot";

const percentForm = "a number from 0 to 100";
export const percent = v.pipe(
  v.number(percentForm),
  v.finite(percentForm),
  v.minValue(0, percentForm),
  v.maxValue(100, percentForm),
);

/** From 0 to 1; all of them where nothing is said. */
export function shareOf(percent = 100): number {
  return percent / 100;
}
