/** What `heddle tap` prints of a request, and what it takes for a filter. */
import { expect, test } from "bun:test";
import { statusRange } from "../../../src/cli/tap_command.ts";
import { tapText } from "../../../src/cli/tap_line.ts";
import { Terminal } from "../../../src/cli/terminal.ts";
import type { TapLine } from "../../../src/model/evidence.ts";
import { terminalUnderTest } from "../../support/terminal_under_test.ts";

const line: TapLine = {
  ...{
    direction: "outbound",
    kind: "http",
    requestId: "r-1",
    service: "orders.default",
    source: "web.default",
  },
  ...{ tls: true, method: "GET", path: "/v1/x", protocol: "HTTP/1.1", grpc: "", route: "", status: 200 },
  ...{ outcome: null, firstByteMs: 1, bytesIn: 0, bytesOut: 1_500, endpoint: "vm-2/orders.default/8080" },
  ...{ atMs: Date.UTC(2030, 0, 1, 12), durationMs: 1.25, attempts: 1 },
};

function shown(change: Partial<TapLine>, interactive = false): string {
  const { host, out } = terminalUnderTest({ interactive, env: { NO_COLOR: "1" } });
  const terminal = new Terminal(host);
  terminal.line(tapText(terminal, "vm-1", { ...line, ...change }));
  return out();
}

test("a request that was tapped is one line with who, what, how it ended and where", () => {
  expect(shown({})).toBe(
    "12:00:00.000 out web.default -> orders.default GET /v1/x 200 1.3ms 1.5 kB vm-2/orders.default/8080 tls=yes on vm-1 id=r-1\n",
  );
  const failed = { flag: "UF", side: "upstream", detail: "no" } as const;
  expect(shown({ outcome: failed, status: 503, attempts: 2, endpoint: "" })).toContain(
    "503 UF 1.3ms 1.5 kB 2 attempts tls=yes",
  );
});

test("a request that was tapped is one line of plain text, whatever its client wrote", () => {
  const out = shown({ path: "/\u001b[2J\n\u202e", method: "\u009b1mGET", requestId: "a\r\nforged" });
  expect(out).not.toMatch(/[^\x20-\x7e\n]/);
  expect(out.split("\n").length).toBe(2);
});

test("on a terminal of 80 columns it is one line of those, with the id whole at its end", () => {
  expect(shown({}, true)).toBe("12:00:00.000 web > orders GET /v1/x 200 1.3ms r-1\n");
  const requestId = "9cb8e0947fc88d5f-11925";
  const long = shown({ requestId, path: `/v1/${"x".repeat(500)}`, attempts: 2 }, true);
  expect(long.trimEnd().length).toBe(80);
  expect(long).toMatch(
    /^12:00:00\.000 web > orders GET \/v1\/x+\u2026 200 1\.3ms x2 9cb8e0947fc88d5f-11925\n$/,
  );
  const names = { service: `${"s".repeat(60)}.${"n".repeat(60)}`, path: "/\u001b[2J\u202e<b>" };
  expect(shown({ ...names, requestId }, true)).toContain(requestId);
});

test("a status to tap is one, a family or a range", () => {
  expect([statusRange("503"), statusRange("5xx"), statusRange("400-499")]).toEqual([
    [503, 503],
    [500, 599],
    [400, 499],
  ]);
  for (const wrong of ["", "5x", "700", "499-400", "5xx,4xx"])
    expect(() => statusRange(wrong)).toThrow("expected 503, 5xx or 400-499");
});
