/** The scanner that the other tidy tests trust. */
import { expect, test } from "bun:test";
import { blanked, readSources } from "./sources.ts";

test("comments and strings are blanked, code and line breaks stay", () => {
  expect(blanked('a; // any\nb = "an\\"y"; /* let\n */ c')).toBe('a;       \nb = "     ";       \n    c');
  expect(blanked("x = `a ${b + `c ${d}`} any`;")).toBe("x = `  ${b + `  ${d}`}    `;");
  expect(blanked('y = /any[/]"/.test(z); a / b / c;')).toBe("y = /       /.test(z); a / b / c;");
});

test("what Bun finds at run time is found, and what it erases is known as a type", () => {
  const transpiler = new Bun.Transpiler({ loader: "ts" });
  for (const file of readSources("src", "runtime", "policies")) {
    const seen = new Set(
      file.imports.filter((found) => found.own && !found.typeOnly).map((found) => found.target),
    );
    const real = transpiler.scanImports(file.text).filter((found) => found.path.startsWith("."));
    expect([file.path, seen.size]).toEqual([file.path, new Set(real.map((found) => found.path)).size]);
  }
});
