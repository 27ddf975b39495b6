/**
 * Whether something new fails more often than what was there before, asked after each observation as long as it takes. Three ways find
 * it, each a bet against "no more often" whose size is told by Ville's inequality: who bets so and wins 1 / a was wrong with a chance of
 * at most a, however often he looked (Wald 1945; several alternatives at once, whose mean is as good a bet: Robbins 1970, "mixture").
 *
 * 1. Against the upper end of how often the old one fails beside it: finds one that always fails. a = 3e-5.
 * 2. Of all failures, which part is the new one's: it would be its part of the calls (as both are asked at the same time, whatever
 *    befalls both says nothing). Finds what is rare where the old one was asked more. a = 5e-4.
 * 3. Against how often the old one failed before, which many calls tell: finds 5 in a hundred more within 200 calls where the old one is
 *    asked as rarely as the new one. a = 3e-4; it counts only where 2 says the same with a = 0.1, so that a bad hour is no verdict.
 */

export interface Tally {
  readonly calls: number;
  readonly failed: number;
}

/** Of finding something guilty that is not, ever. */
const falseChances = { beside: 3e-5, parts: 5e-4, before: 3e-4, alike: 0.1 } as const;
/** How surely the old one fails no more often than its bound: as standard deviations. */
const surely = 3;
/** An old one that never failed is taken for one that does so rarely. */
const leastRate = 0.001;
/** What counts as more: five in a hundred, and far more. */
const leastMore = 0.05;
/** So many times as often, at least: no bet is on less. */
const oddsMore = [1.5, 2, 4, 20, 1000] as const;
/** Of calls before, without which they say nothing. */
const earlierLeast = 200;
/** Where the old one is asked for less than this part there is little to compare with. */
const leastBeside = 0.3;

/** The upper end of Wilson's interval (1927) of how often it fails. */
function upperRate({ calls, failed }: Tally, deviations: number): number {
  if (calls === 0) return 1;
  const rate = failed / calls;
  const square = deviations * deviations;
  const middle = rate + square / (2 * calls);
  const spread = deviations * Math.sqrt((rate * (1 - rate)) / calls + square / (4 * calls * calls));
  return Math.min(1, (middle + spread) / (1 + square / calls));
}

/** What is won by betting that of `now` more fail than the usual part. */
function wonAgainst(now: Tally, bound: number): number {
  const usual = Math.max(leastRate, bound);
  if (usual + leastMore >= 1) return 0;
  const alternatives = [
    usual + leastMore,
    usual + (1 - usual) / 4,
    usual + (1 - usual) / 2,
    1 - (1 - usual) / 50,
  ];
  const well = now.calls - now.failed;
  return mean(
    alternatives.map(
      (rate) => now.failed * Math.log(rate / usual) + well * Math.log((1 - rate) / (1 - usual)),
    ),
  );
}

/** What is won by betting that of all failures more are of `now` than its part of the calls. */
function wonOfParts(now: Tally, before: Tally): number {
  if (now.calls === 0 || before.calls === 0) return 0;
  const odds = now.calls / before.calls;
  const part = odds / (1 + odds);
  return mean(
    oddsMore.map((more) => {
      const alternative = (odds * more) / (1 + odds * more);
      return (
        now.failed * Math.log(alternative / part) + before.failed * Math.log((1 - alternative) / (1 - part))
      );
    }),
  );
}

function mean(logarithms: readonly number[]): number {
  return logarithms.reduce((sum, each) => sum + Math.exp(each), 0) / logarithms.length;
}

/**
 * True: `now` fails more often than `before`, beyond reasonable doubt. `before` is counted beside it; `earlier` is what was counted of the
 * same before `now` was there at all.
 */
export function failsMore(now: Tally, before: Tally, earlier: Tally = { calls: 0, failed: 0 }): boolean {
  if (wonAgainst(now, upperRate(before, surely)) >= 1 / falseChances.beside) return true;
  const won = wonOfParts(now, before);
  if (won >= 1 / falseChances.parts) return true;
  if (earlier.calls < earlierLeast) return false;
  const alone = before.failed === 0 && before.calls < leastBeside * (now.calls + before.calls);
  if (won < 1 / falseChances.alike && !alone) return false;
  const whole = { calls: before.calls + earlier.calls, failed: before.failed + earlier.failed };
  return wonAgainst(now, upperRate(whole, surely)) >= 1 / falseChances.before;
}
