/** Answers of calls as they travel: what was written is read, and nothing else passes for it. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../src/model/limits.ts";
import { AnswersReader } from "../../../src/policy/answers.ts";
import { answersText } from "../../support/hosting.ts";

test("what was written is read, whatever the answers hold", () => {
  const reader = new AnswersReader();
  const one = fc.tuple(fc.nat(999_999_999), fc.string({ unit: "binary", maxLength: 40 }));
  fc.assert(
    fc.property(fc.nat(255), fc.nat(1e8), fc.array(one, { maxLength: 30 }), (first, cpuUs, answers) => {
      expect(reader.read(answersText(first, cpuUs, ...answers))).toBeNull();
      expect([reader.first, reader.cpuUs, reader.count]).toEqual([first, cpuUs, answers.length]);
      expect(answers.map(() => [reader.us, reader.next()])).toEqual(answers.map((each) => [...each]));
    }),
  );
});

for (const [wrong, text] of Object.entries({
  "of nothing": "",
  "without a semicolon": "0,0,1,2",
  "with half an answer": "0,0,1;",
  "with one number": "0;",
  "with a number too long": "0,0,1,1000000000;x",
  "with a negative number": "0,-1;",
  "with a fraction": "0,0,1.5,1;x",
  "with a number that is missing": "0,,1,1;x",
  "with less than it announces": "0,0,1,3;xx",
  "with more than it announces": "0,0,1,3;xxxx",
  "that begins with an answer": '{"do":"next"}',
  "of more calls than a batch has": `0,0${",1,0".repeat(limits.policyBatchCallsMax + 1)};`,
})) {
  test(`a text ${wrong} is refused`, () => {
    expect(new AnswersReader().read(text)).toBeString();
  });
}
