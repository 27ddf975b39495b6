/** Targets: one string that is routed, checked and forwarded, or none. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { normalAuthority, normalTarget, readTarget, type PathReading } from "../../../src/wire/target.ts";

describe("a target", () => {
  const normal: readonly (readonly [string, string])[] = [
    ["/", "/"],
    ["/a/b?c=../d", "/a/b?c=../d"],
    ["/a/./b", "/a/b"],
    ["/a/../b", "/b"],
    ["/../../b", "/b"],
    ["/a/b/..", "/a/"],
    ["/a/.", "/a/"],
    ["/.", "/"],
    ["/..", "/"],
    ["/...", "/..."],
    ["/.hidden", "/.hidden"],
    ["//a//b", "//a//b"],
    ["/a//../b", "/a/b"],
    ["/%41%7e%2D", "/A~-"],
    ["/%2f%3A", "/%2F%3A"],
    ["/%c3%a9", "/%C3%A9"],
    ["/%252e%252e/x", "/%252e%252e/x"],
    ["/a.%2eb", "/a..b"],
    ["/a?%zz\\", "/a?%zz\\"],
    ["/a/../?x=/../y", "/?x=/../y"],
  ];
  for (const [from, to] of normal)
    test(`${from} becomes ${to}`, () => expect(normalTarget(from)?.target).toBe(to));

  const refused = [
    ...[
      "/%00",
      "/a%00b",
      "/a\\b",
      "/%5c",
      "/%5C..",
      "/%",
      "/%2",
      "/%zz",
      "/%+1",
      "/% 1",
      "/%0x",
      "/%2e",
      "/%2E%2e",
    ],
    ...["/a/%2e%2e/b", "/a/.%2e/b", "/a/%2e./b", "/%2e/", "/a/%2e"],
  ];
  for (const from of refused) test(`${from} is refused`, () => expect(normalTarget(from)).toBeNull());

  test("is normal once it was made normal, and its path is its target without the query", () => {
    const piece = fc.constantFrom(
      "/",
      "a",
      ".",
      "..",
      "%2e",
      "%2E",
      "%41",
      "%2f",
      "%7E",
      "%25",
      "?",
      "\\",
      "%5c",
      "b c",
      "%",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const made = normalTarget(`/${pieces.join("")}`);
        if (made === null) return;
        expect(made.target.split("?")[0]).toBe(made.path);
        expect(normalTarget(made.target)).toEqual(made);
        expect(made.path.split("/").some((segment) => segment === "." || segment === "..")).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("an escaped slash", () => {
  const targets = [
    "/a%2Fb",
    "/a/%2f",
    "/a%2F..%2Fb",
    "/%2F.",
    "/..%2Fb",
    "/a%252Fb",
    "/a?b=%2F",
    "/%2F/.x%2F...",
    "*",
    "",
  ];
  const read = (how: "keep" | "refuse" | "decode"): (string | null)[] =>
    targets.map((target) => readTarget({ escapedSlashes: how }, target)?.target ?? null);

  test("is kept", () => expect(read("keep")).toEqual(targets));

  test("is refused in a path, and nowhere else", () =>
    expect(read("refuse")).toEqual([null, null, null, null, null, "/a%252Fb", "/a?b=%2F", null, "*", ""]));

  test("becomes a slash once, and hides no dot segment", () =>
    expect(read("decode")).toEqual([
      "/a/b",
      "/a//",
      null,
      null,
      null,
      "/a%252Fb",
      "/a?b=%2F",
      "///.x/...",
      "*",
      "",
    ]));

  test("that was read once is the same when it is read again", () => {
    const piece = fc.constantFrom("/", "a", ".", "..", "%2F", "%2f", "%25", "2F", "?", "%2525");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const normal = normalTarget(`/${pieces.join("")}`);
        const once = normal === null ? null : readTarget({ escapedSlashes: "decode" }, normal.target);
        if (once === null) return;
        expect(once.target.split("?")[0]).toBe(once.path);
        expect(readTarget({ escapedSlashes: "decode" }, once.target)).toEqual(once);
        expect(normalTarget(once.target)).toEqual(once);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("a path that apps read differently", () => {
  const targets = ["/a//b", "//a", "/a;x=1/b;y?c;d//e", "/a/..;/b", "/a%2F/b", "/;/a", "/a/b?c=//;"];
  const read = (reading: Omit<PathReading, "escapedSlashes">, escapedSlashes: "keep" | "decode" = "keep") =>
    targets.map((target) => readTarget({ escapedSlashes, ...reading }, target)?.target ?? null);

  test("is kept", () => expect(read({})).toEqual(targets));

  test("has one slash for several where those are merged", () =>
    expect(read({ mergeSlashes: "merge" })).toEqual([
      "/a/b",
      "/a",
      "/a;x=1/b;y?c;d//e",
      "/a/..;/b",
      "/a%2F/b",
      "/;/a",
      "/a/b?c=//;",
    ]));

  test("has no parameters where those are left out, and hides no dot segment in them", () =>
    expect(read({ pathParameters: "strip" })).toEqual([
      "/a//b",
      "//a",
      "/a/b?c;d//e",
      null,
      "/a%2F/b",
      "//a",
      "/a/b?c=//;",
    ]));

  test("is refused where it says so, and its query is nobody's business", () => {
    const refused = { mergeSlashes: "refuse", pathParameters: "refuse" } as const;
    expect(read(refused)).toEqual([null, null, null, null, "/a%2F/b", null, "/a/b?c=//;"]);
  });

  test("is read as a lenient app does it: escapes, parameters, slashes", () => {
    const lenient = { mergeSlashes: "merge", pathParameters: "strip" } as const;
    expect(read(lenient, "decode")).toEqual(["/a/b", "/a", "/a/b?c;d//e", null, "/a/b", "/a", "/a/b?c=//;"]);
  });

  test("that was read once is the same when it is read again", () => {
    const piece = fc.constantFrom("/", "a", ".", "..", "%2F", ";", "%3B", "=", "?");
    const reading = fc.record({
      escapedSlashes: fc.constantFrom("keep", "decode"),
      mergeSlashes: fc.constantFrom("merge", "refuse"),
      pathParameters: fc.constantFrom("strip", "refuse"),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), reading, (pieces, how) => {
        const normal = normalTarget(`/${pieces.join("")}`);
        const once = normal === null ? null : readTarget(how as PathReading, normal.target);
        if (once === null) return;
        expect(readTarget(how as PathReading, once.target)).toEqual(once);
        expect(normalTarget(once.target)).toEqual(once);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("an authority", () => {
  for (const text of ["a", "A.Mesh", "a:80", "10.0.0.1:8080", "[::1]", "[fe80::1]:443", "a_b~c"])
    test(`${text} is one, in lower case`, () => expect(normalAuthority(text)).toBe(text.toLowerCase()));
  for (const text of [
    "",
    ":80",
    "a:",
    "a:x",
    "a:123456",
    "u@a",
    "a/b",
    "a,b",
    "a b",
    "[::1",
    "::1",
    "a\n",
    "\u00e9",
    "\u212a",
  ])
    test(`${JSON.stringify(text)} is none`, () => expect(normalAuthority(text)).toBeNull());
});
