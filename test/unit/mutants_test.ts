import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../compile/repository.ts";
import { mutants } from "../mutants/list.ts";
import { mutated } from "../mutants/mutant.ts";

describe("mutants", () => {
  test("are told apart by what they break", () => {
    const faults = mutants.map(({ file, fault }) => `${file}: ${fault}`);
    expect(faults.filter((each, at) => faults.indexOf(each) !== at)).toEqual([]);
  });

  test("fit the sources, and name tests that exist", () => {
    const wrong = mutants.flatMap((mutant) => {
      const missing = mutant.suites.filter((suite) => !existsSync(join(root, suite)));
      try {
        mutated(mutant, readFileSync(join(root, mutant.file), "utf8"));
        return missing;
      } catch (error) {
        return [...missing, (error as Error).message];
      }
    });
    expect(wrong).toEqual([]);
  });
});
