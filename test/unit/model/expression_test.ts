import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compileExpression } from "../../../src/model/expression.ts";
import { literalStart } from "../../../src/model/expression_syntax.ts";
import { processorClock } from "../../support/processor_time.ts";

function matches(expression: string, text: string): boolean {
  const result = compileExpression(expression);
  if (!result.ok) throw new Error(result.problem);
  return result.expression.test(text);
}

describe("an expression", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["^/api/v[0-9]+/", "/api/v12/x", true],
    ["^/api/v[0-9]+/", "/api/v/x", false],
    ["/users/[^/]+/photo$", "/x/users/ada/photo", true],
    ["/users/[^/]+/photo$", "/users/ada/photo/1", false],
    ["^(?:a|bc)*$", "abcabc", true],
    ["^(?:a|bc)*$", "abcab", false],
    ["^a{2,3}$", "aa", true],
    ["^a{2,3}$", "aaaa", false],
    ["^a{2,}b$", "aaaaab", true],
    ["^$", "", true],
    ["^$", "a", false],
    ["", "anything", true],
    ["a|^b$", "xb", false],
    ["^\\w+\\.\\d\\s$", "ab_1.7 ", true],
    ["[^a-c]", "abcabc", false],
    ["^.$", "ሴ", true],
    ["^[\\x41-\\x43\\]-]+$", "ABC]-", true],
  ];
  for (const [expression, text, expected] of cases) {
    test(`${expression} ${expected ? "matches" : "does not match"} "${text}"`, () => {
      expect(matches(expression, text)).toBe(expected);
    });
  }

  test("agrees with the language's own on random expressions and texts", () => {
    const atom = fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\d", "(?:ab|c)", "(a|)", "^", "$");
    const quantifier = fc.constantFrom("", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?");
    const piece = fc
      .tuple(atom, quantifier)
      .map(([part, count]) => (part === "^" || part === "$" ? part : part + count));
    const sequence = fc.array(piece, { maxLength: 5 }).map((parts) => parts.join(""));
    const expression = fc.array(sequence, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("|"));
    const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "1", "\n"), maxLength: 12 });
    fc.assert(
      fc.property(expression, fc.array(text, { minLength: 1, maxLength: 5 }), (source, texts) => {
        const compiled = compileExpression(source);
        if (!compiled.ok) throw new Error(compiled.problem);
        for (const each of texts)
          expect([source, each, compiled.expression.test(each)]).toEqual([
            source,
            each,
            new RegExp(source).test(each),
          ]);
      }),
      { numRuns: 2_000 },
    );
  });

  test("takes linear time where backtracking would take for ever", () => {
    const text = "a".repeat(16_384);
    const spentMs = processorClock();
    for (const hard of ["^(a+)+$", "(a|aa)*b", "(?:a?){60}a{60}b", ".*.*.*.*x", "^(?:.*a){20}b$"])
      matches(hard, `${text}!`);
    expect(spentMs()).toBeLessThan(2_000);
  });

  test("forgets states when they become too many and still answers right", () => {
    const source = "a[ab]{12}$";
    const native = new RegExp(source);
    const compiled = compileExpression(source);
    if (!compiled.ok) throw new Error(compiled.problem);
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "b"), minLength: 10, maxLength: 400 }),
        (text) => compiled.expression.test(text) === native.test(text),
      ),
      { numRuns: 300 },
    );
  });
});

describe("refused with its reason is", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["(?=a)", "look-around and named groups are not allowed"],
    ["(a)\\1", "back-references are not allowed"],
    ["a**", "one repetition follows another"],
    ["*a", "nothing stands before * that could be repeated"],
    ["(a", "a ( is not closed"],
    ["a)", "this ) closes nothing"],
    ["[a", "a [ is not closed"],
    ["[b-a]", "a range of characters counts down"],
    ["a\\", "it ends in the middle"],
    ["a{3,2}", "{3,2} counts down"],
    ["\\bword", "\\b is not allowed"],
    ["(?:a{100}){100}", "it repeats too much"],
    ["x".repeat(257), "it has 257 characters, more than 256"],
    ["(".repeat(40), "groups are nested more than 16 deep"],
  ];
  for (const [expression, problem] of cases) {
    test(expression.slice(0, 20), () => {
      const result = compileExpression(expression);
      expect(result.ok ? "" : result.problem).toContain(problem);
    });
  }
});

test("the literal start of an expression is what every match begins with", () => {
  const cases = {
    ...{ "^/api/v[0-9]": "/api/v", "^/api.*": "/api", "^/v*": "/", "/api": "", "^a|^b": "", "(": "" },
    ...{ "^\\/x\\.y$": "/x.y", "^/[a]b": "/ab", "^/.": "/", "^(?:/a)": "" },
  };
  for (const [expression, literal] of Object.entries(cases))
    expect([expression, literalStart(expression)]).toEqual([expression, literal]);
});
