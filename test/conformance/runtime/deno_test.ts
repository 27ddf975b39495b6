/** The contract on Deno: what this suite holds of runtime/bun it holds of runtime/deno, but for what is listed as failing there. */
import { expect, test } from "bun:test";
import { conformanceOnDeno } from "../../support/deno/suite.ts";
import { testMs } from "../../support/patience.ts";

const files = ["clock", "files", "process", "udp", "listen", "tcp", "half_close", "tls"];

test(
  "Deno keeps the contract but for what is listed, and nothing is listed that it keeps",
  async () => {
    const { passed, ...wrong } = await conformanceOnDeno(files.map((name) => `${name}_test.ts`));
    expect(wrong).toEqual({ newFailures: [], mended: [] });
    expect(passed).toBeGreaterThan(40);
  },
  2 * testMs,
);
