/**
 * Rules of interception as they were once judged right, and what nft itself says of them where it is installed. GOLDEN=update writes what
 * comes out now.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyRuleset, ruleset, type InterceptedUnit, type RulesWanted } from "../../src/intercept/rules.ts";
import { redirectedPorts } from "../../src/model/ports.ts";
import { sliceOf } from "../../src/intercept/slice.ts";
import { expectGolden } from "../support/golden.ts";
import { hasProgram } from "../support/processes.ts";

const folder = join(import.meta.dir, "intercept");

const web: InterceptedUnit = {
  unit: "web.service",
  slice: sliceOf("web.service"),
  outbound: "mesh",
  inbound: "audit",
  ports: [8081],
  strict: false,
};
const shop: InterceptedUnit = {
  unit: "my-shop@1.service",
  slice: sliceOf("my-shop@1.service"),
  outbound: "all",
  inbound: "enforce",
  ports: [8090, 8080],
  strict: true,
};
const job: InterceptedUnit = { ...web, unit: "report.service", slice: sliceOf("report.service"), ports: [] };
const plain: RulesWanted = {
  units: [web],
  exclusions: { addresses: [], places: [], ports: [22] },
  ports: redirectedPorts,
  clear: [],
};
const cases: Readonly<Record<string, string>> = {
  one_unit: ruleset(plain),
  all_kinds: ruleset({
    ...plain,
    units: [web, shop, job],
    clear: [
      { address: "10.0.0.7", port: 8080, packets: 5 },
      { address: "2001:db8::9", port: 8081, packets: 1 },
    ],
    exclusions: {
      addresses: ["192.0.2.7", "2001:db8::7"],
      places: [
        { host: "10.0.0.1", port: 7443 },
        { host: "2001:db8::1", port: 7443 },
      ],
      ports: [2222, 22],
    },
  }),
  only_calls: ruleset({ ...plain, units: [job] }),
  empty: emptyRuleset(),
};

describe("the rules", () => {
  test.each(Object.entries(cases))("of %s are those that were judged right", (name, text) => {
    expectGolden(join(folder, `${name}.nft`), text);
  });

  test("are the same whatever order the units are named in", () => {
    expect(ruleset({ ...plain, units: [shop, job, web] })).toBe(
      ruleset({ ...plain, units: [web, shop, job] }),
    );
  });

  test("never look at more than the first packet of a connection, and never name a table of others", () => {
    const rules = Object.values(cases).flatMap((text) =>
      text.split("\n").filter((line) => /redirect|jump/.test(line) && !line.includes("keeps")),
    );
    expect(rules.length).toBeGreaterThan(5);
    for (const rule of rules) expect(rule).toContain("tcp flags & (fin | syn | rst | ack) == syn");
    for (const text of Object.values(cases)) {
      expect(text).not.toMatch(/flush|table (?!inet heddle)/);
      expect(text).toStartWith("table inet heddle\ndelete table inet heddle\n");
    }
  });
});

const why = whyNoNft();
function whyNoNft(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "it takes root of Linux";
  if (!hasProgram("nft") || !hasProgram("unshare")) return "there is no nft";
  return spawnSync("unshare", ["--net", "nft", "list", "ruleset"]).status === 0
    ? null
    : "nft cannot be used here";
}
/** nft looks for the folders of slices; any that is there will do. */
const someGroup = (): string => {
  const root = existsSync("/sys/fs/cgroup/unified") ? "unified/" : "";
  const [first = ""] = readdirSync(`/sys/fs/cgroup/${root}`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  return root + first;
};

describe.skipIf(why !== null)(`nft${why === null ? "" : ` (skipped: ${why})`}`, () => {
  const temporary = mkdtempSync(`${tmpdir()}/heddle-rules-`);
  afterAll(() => rmSync(temporary, { recursive: true, force: true }));

  test.each(Object.entries(cases))("takes the rules of %s, twice over", (_, text) => {
    const rules = join(temporary, "rules.nft");
    writeFileSync(rules, text.replaceAll(/"mesh\.slice\/[^"]*"/g, `"${someGroup()}"`));
    const loaded = spawnSync("unshare", ["--net", "sh", "-c", 'nft -f "$0" && nft -f "$0"', rules], {
      encoding: "utf8",
    });
    expect(loaded.stderr).toBe("");
    expect(loaded.status).toBe(0);
  });
});
