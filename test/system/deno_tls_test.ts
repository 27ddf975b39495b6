/** TLS over time on Deno: the part of test/conformance/runtime that takes long there. */
import { expect, test } from "bun:test";
import { conformanceOnDeno } from "../support/deno/suite.ts";
import { testMs } from "../support/patience.ts";

test(
  "Deno keeps the contract of TLS over time but for what is listed",
  async () => {
    const { passed, ...wrong } = await conformanceOnDeno(["tls_session_test.ts"]);
    expect(wrong).toEqual({ newFailures: [], mended: [] });
    expect(passed).toBeGreaterThan(10);
  },
  2 * testMs,
);
