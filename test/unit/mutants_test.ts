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

  test("are sources that a program can be made of, and name tests that exist", () => {
    const transpiler = new Bun.Transpiler({ loader: "ts", target: "bun" });
    const wrong = mutants.flatMap((mutant) => {
      const missing = mutant.suites.filter((suite) => !existsSync(join(root, suite)));
      try {
        transpiler.transformSync(mutated(mutant, readFileSync(join(root, mutant.file), "utf8")));
        return missing;
      } catch (error) {
        return [...missing, `${mutant.file}: "${mutant.fault}": ${(error as Error).message}`];
      }
    });
    expect(wrong).toEqual([]);
  });
});
