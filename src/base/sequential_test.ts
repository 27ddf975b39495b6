/**
 * Whether something new fails more often than what was there before, asked after each observation as long as it takes. Two ways find
 * it, each a bet against "no more often" whose size is told by Ville's inequality: who bets so and wins 1 / a was wrong with a chance of
 * at most a, however often he looked (Wald 1945; several alternatives at once, whose mean is as good a bet: Robbins 1970, "mixture").
 *
 * 1. Of all failures, which part is the new one's: it would be its part of the calls (as both are asked at the same time, whatever
 *    befalls both says nothing). Finds what is rare where the old one was asked more. a = 4e-4.
 * 2. Against what the old one's calls let expect: its rate is not known, but how likely each is (Beta distribution, Jeffreys's prior), so
 *    so many failures of so many calls have a chance (beta-binomial), whether few calls or many tell of the old one. By the calls beside
 *    the new one: a = 1e-4. By those before it, too: a = 3e-4, and only where 1 says the same with a = 0.1, so that a bad hour is no verdict.
 */

export interface Tally {
  readonly calls: number;
  readonly failed: number;
}

/** Of finding something guilty that is not, ever. */
const falseChances = { parts: 4e-4, beside: 1e-4, before: 3e-4, alike: 0.1 } as const;
/** What is thought of a rate of which nothing is known: Jeffreys's prior. */
const unknown = 0.5;
/** What counts as more: five in a hundred. */
const leastMore = 0.05;
/** What part of the bet is on so little; the others, on far more, win quickly if at all. */
const onLeast = 0.7;
/** So many times as often, at least: no bet is on less. */
const oddsMore = [1.5, 3, 6, 20, 1000] as const;
/** Of calls before, without which they say nothing. */
const earlierLeast = 200;
/** Where the old one is asked for less than this part there is little to compare with. */
const leastBeside = 0.3;
/** A failure of the old one beside it says as much of a bad hour as so many calls more. */
const failureWeighs = 4;

/** What is won by betting that of `now` more fail than the old one's calls let expect. */
function wonAgainst(now: Tally, old: Tally): number {
  const [bad, good] = [old.failed + unknown, old.calls - old.failed + unknown];
  const usual = bad / (bad + good);
  const well = now.calls - now.failed;
  const expected = logBeta(bad + now.failed, good + well) - logBeta(bad, good);
  const won = (rate: number): number =>
    Math.exp(now.failed * Math.log(rate) + well * Math.log(1 - rate) - expected);
  const further = 1 - usual;
  const least = won(usual + Math.min(leastMore, further / 2));
  const far = [usual + further / 4, usual + further / 2, 1 - further / 50].map(won);
  return onLeast * least + (1 - onLeast) * mean(far);
}

/** Logarithm of the beta function, of arguments above 0. */
function logBeta(one: number, other: number): number {
  return logGamma(one) + logGamma(other) - logGamma(one + other);
}

/** Logarithm of the gamma function, of arguments above 0: Stirling's series, from 8 on. Right to ten digits. */
function logGamma(given: number): number {
  let [at, below] = [given, 0];
  for (; at < 8; at++) below += Math.log(at);
  const part = 1 / (at * at);
  const series = (1 / 12 - part * (1 / 360 - part * (1 / 1260 - part / 1680))) / at;
  return (at - 0.5) * Math.log(at) - at + Math.log(2 * Math.PI) / 2 + series - below;
}

/** What is won by betting that of all failures more are of `now` than its part of the calls. */
function wonOfParts(now: Tally, before: Tally): number {
  if (now.calls === 0 || before.calls === 0) return 0;
  const odds = now.calls / before.calls;
  const part = odds / (1 + odds);
  return mean(
    oddsMore.map((more) => {
      const alternative = (odds * more) / (1 + odds * more);
      return Math.exp(
        now.failed * Math.log(alternative / part) + before.failed * Math.log((1 - alternative) / (1 - part)),
      );
    }),
  );
}

function mean(all: readonly number[]): number {
  return all.reduce((sum, each) => sum + each, 0) / all.length;
}

/**
 * True: `now` fails more often than `before`, beyond reasonable doubt. `before` is counted beside it; `earlier` is what was counted of the
 * same before `now` was there at all.
 */
export function failsMore(now: Tally, before: Tally, earlier: Tally = { calls: 0, failed: 0 }): boolean {
  if (now.failed === 0) return false;
  if (wonAgainst(now, before) >= 1 / falseChances.beside) return true;
  const won = wonOfParts(now, before);
  if (won >= 1 / falseChances.parts) return true;
  if (earlier.calls < earlierLeast) return false;
  const beside = before.calls + failureWeighs * before.failed;
  const alone = beside < leastBeside * (now.calls + before.calls);
  if (won < 1 / falseChances.alike && !alone) return false;
  const whole = { calls: before.calls + earlier.calls, failed: before.failed + earlier.failed };
  return wonAgainst(now, whole) >= 1 / falseChances.before;
}
