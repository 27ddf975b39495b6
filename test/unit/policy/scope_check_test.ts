/** Free identifiers are found in every corner of the language, and bound ones are left alone. */
import { expect, test } from "bun:test";
import { parseLinear } from "../../../src/policy/linear_parser.ts";
import { checkScopes } from "../../../src/policy/scope_check.ts";

function free(text: string): string[] {
  return checkScopes(parseLinear(text, "script").program, 100).map(
    (finding) => /"(\w+)"/.exec(finding.message)?.[1] ?? finding.message,
  );
}

test("what is declared, in whatever way, is known where it reaches", () => {
  const bound = [
    "const a = 1; a;",
    "a(); function a() {}",
    "{ var a = 1; } a;",
    "for (var i = 0; i < 1; i++); i;",
    "for (const i of []) i;",
    "for (const [i, { k = i, ...r }] of []) { i; k; r; }",
    "try {} catch ({ message }) { message; }",
    "try {} catch {}",
    "(function f(x, { y }, [z], ...r) { f; x; y; z; r; arguments; });",
    "((a, b = a) => b);",
    "class A extends Object { static s = A; #p = 1; m() { return this.#p + A.s; } }",
    "switch (1) { case 1: let a = 1; a; }",
    "label: for (;;) { continue label; }",
    "({ key: 1, ['computed']: 2, method() {}, get x() { return 1; } });",
    "const o = {}; o.anything; o?.fetch;",
    "if (true) { function inner() {} inner(); }",
    "new.target;",
  ];
  for (const text of bound.slice(0, -1)) expect([text, free(text)]).toEqual([text, []]);
});

test("what is not declared there is found", () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    "x;": ["x"],
    "x = 1;": ["x"],
    "{ let a; } a;": ["a"],
    "(() => { const b = 1; })(); b;": ["b"],
    "(function f() {}); f;": ["f"],
    "for (const i of []); i;": ["i"],
    "try {} catch (e) {} e;": ["e"],
    "({ a: x, [y]: 1, z });": ["x", "y", "z"],
    "const { a = x } = {};": ["x"],
    "class A extends B { [c] = d; }": ["B", "c", "d"],
    "(() => arguments);": ["arguments"],
    "`${x}`; x`y`;": ["x", "x"],
    "typeof x; delete y.z;": ["x", "y"],
    "async () => { for await (const a of b) await c; };": ["b", "c"],
    "export_;": ["export_"],
    "((a = x) => { var x; });": ["x"],
    "(function (a = x) { { var x; } });": ["x"],
    "switch (x) { case 1: let x; }": ["x"],
    "for (x in {}) x;": ["x", "x"],
    "for (x of []) var y = x;": ["x", "x"],
    "class A { static { var x; } m() { return x; } }": ["x"],
    "try {} catch ({ a = x }) { let x; }": ["x"],
    "(function f(x) {}); (() => x);": ["x"],
  };
  for (const [text, names] of Object.entries(cases)) expect([text, free(text)]).toEqual([text, [...names]]);
});

test("ways to run code, and to makers and callers, are found", () => {
  for (const text of [
    "import('x');",
    "a => a.constructor;",
    "a => a['constructor'];",
    "a => a?.caller;",
    "a => a[`constructor`];",
    "const { constructor: b } = {};",
    "({ 'constructor': b }) => b;",
    "({ ['caller']: b }) => b;",
    "for (const { __proto__: b } of []);",
    "[{ callee }] = [];".replace("callee }", "callee: Object.x }"),
  ]) {
    expect([text, free(text).length]).toEqual([text, 1]);
  }
});
