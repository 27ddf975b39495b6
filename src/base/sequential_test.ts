/**
 * Whether something new fails more often than what was there before, asked after each observation as long as it takes: a sequential
 * probability ratio test (Wald 1945) against several alternatives at once, whose mean is as good a bet (Robbins 1970, "mixture"). By
 * Ville's inequality one that fails no more often than the bound of the old one is ever found guilty with a chance of `falseChance`.
 */

export interface Tally {
  readonly calls: number;
  readonly failed: number;
}

/** Of finding something guilty that is not, ever. */
const falseChance = 3e-5;
/** How surely the old one fails no more often than its bound: as standard deviations. */
const surely = 1.5;
/** An old one that never failed is taken for one that does so rarely. */
const leastRate = 0.001;
/** What counts as more: five in a hundred, and far more. */
const leastMore = 0.05;

/** The upper end of Wilson's interval (1927) of how often it fails. */
function upperRate({ calls, failed }: Tally): number {
  if (calls === 0) return 1;
  const rate = failed / calls;
  const square = surely * surely;
  const middle = rate + square / (2 * calls);
  const spread = surely * Math.sqrt((rate * (1 - rate)) / calls + square / (4 * calls * calls));
  return Math.min(1, (middle + spread) / (1 + square / calls));
}

/** True: `now` fails more often than `before`, beyond reasonable doubt. */
export function failsMore(now: Tally, before: Tally): boolean {
  const usual = Math.max(leastRate, upperRate(before));
  if (usual + leastMore >= 1) return false;
  const alternatives = [
    usual + leastMore,
    usual + (1 - usual) / 4,
    usual + (1 - usual) / 2,
    1 - (1 - usual) / 50,
  ];
  const well = now.calls - now.failed;
  const bets = alternatives.map((rate) =>
    Math.exp(now.failed * Math.log(rate / usual) + well * Math.log((1 - rate) / (1 - usual))),
  );
  const mean = bets.reduce((sum, bet) => sum + bet, 0) / bets.length;
  return mean >= 1 / falseChance;
}
