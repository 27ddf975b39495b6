/** Entries for the journal of systemd, read at the other end of a real socket, and how they are encoded. */
import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { entryOfAccess, entryOfText } from "../../../src/app/journal_entries.ts";
import { limits } from "../../../src/model/limits.ts";
import { encodeEntry, Journal, leadsToJournal } from "../../../src/systemd/journal.ts";
import { AccessLog, type AccessEntry } from "../../../src/telemetry/access_log.ts";
import { NotifySocket } from "../../support/notify_socket.ts";
import { exchangeRecord } from "../../support/records.ts";
import { runtime } from "../../support/runtime_under_test.ts";

const folder = mkdtempSync(`${tmpdir()}/heddle-journal-`);
let reader: NotifySocket | null = null;
afterEach(() => {
  reader?.close();
  rmSync(`${folder}/socket`, { force: true });
});

describe("an entry", () => {
  test("has a line for each field whose value is one line", () => {
    const bytes = encodeEntry({ MESSAGE: "it = well", PRIORITY: "6", EMPTY: "" });
    expect(new TextDecoder().decode(bytes)).toBe("MESSAGE=it = well\nPRIORITY=6\nEMPTY=\n");
  });

  test("has the length in bytes before a value of several lines, which can pose as no other field", () => {
    const value = "é\nPRIORITY=0";
    const bytes = encodeEntry({ MESSAGE: value, PRIORITY: "6" });
    const length = [13, 0, 0, 0, 0, 0, 0, 0];
    const encoder = new TextEncoder();
    expect([...bytes]).toEqual([
      ...encoder.encode("MESSAGE\n"),
      ...length,
      ...encoder.encode(`${value}\n`),
      ...encoder.encode("PRIORITY=6\n"),
    ]);
  });

  test("of a request has its line as message, and what can be asked for as fields", () => {
    const entries: AccessEntry[] = [];
    const log = new AccessLog({ sampleRatio: 1, slowMs: 1e9, write: () => {}, wallMs: () => 0 });
    log.also((entry) => void entries.push(entry));
    const outcome = { flag: "UF", side: "upstream", repeat: "yes", detail: "refused" } as never;
    log.record(exchangeRecord({ path: "/a\nPRIORITY=0\u001b[2J", status: 503, outcome }), 2);
    const fields = entryOfAccess(entries[0] as AccessEntry);
    expect(fields).toMatchObject({
      PRIORITY: "3",
      SYSLOG_IDENTIFIER: "heddle",
      HEDDLE_KIND: "access",
      HEDDLE_DST: "orders.default",
      HEDDLE_STATUS: "503",
      HEDDLE_FLAGS: "UF",
      HEDDLE_PATH: "/a\\nPRIORITY=0\\x1b[2J",
    });
    expect(JSON.parse(fields["MESSAGE"] ?? "")).toMatchObject({ status: 503, request_id: "r-1" });
    expect(Object.keys(fields).every((name) => /^[A-Z][A-Z0-9_]{0,63}$/.test(name))).toBe(true);
    expect(Object.values(fields).join("")).not.toMatch(/[^\x20-\x7e]/);
  });

  test("of what the proxy says has no more than that", () => {
    expect(entryOfText("all is well")).toEqual({
      MESSAGE: "proxy: all is well",
      PRIORITY: "6",
      SYSLOG_IDENTIFIER: "heddle",
      HEDDLE_KIND: "log",
    });
  });
});

describe("the journal", () => {
  test("gets each entry in one datagram", () => {
    reader = new NotifySocket(`${folder}/socket`);
    const journal = new Journal(runtime.native, `${folder}/socket`);
    expect(journal.write({ MESSAGE: "one" })).toBe(true);
    expect(journal.write({ MESSAGE: "two" })).toBe(true);
    expect(reader.received()).toEqual(["MESSAGE=one\n", "MESSAGE=two\n"]);
  });

  test("is not waited for: what it has no room for comes later, in order, or is dropped and counted", () => {
    reader = new NotifySocket(`${folder}/socket`);
    const journal = new Journal(runtime.native, `${folder}/socket`);
    const filler = "x".repeat(4_000);
    const count = Math.ceil((2 * limits.logWaitingCharactersMax) / filler.length);
    for (let at = 0; at < count; at++) expect(journal.write({ MESSAGE: `${at} ${filler}` })).toBe(true);
    expect(journal.lost).toBeGreaterThan(0);
    const read: string[] = [];
    for (let more = reader.received(); more.length > 0; more = reader.received()) {
      read.push(...more.map((text) => text.slice("MESSAGE=".length).split(" ")[0] as string));
      journal.flush();
    }
    expect(read).toEqual(Array.from({ length: count - journal.lost }, (_, at) => String(at)));
  });

  test("that is not there takes nothing, and says so", () => {
    expect(new Journal(runtime.native, `${folder}/nobody`).write({ MESSAGE: "one" })).toBe(false);
  });
});

test("output leads to the journal where its descriptor is the one that systemd names, and only there", () => {
  const descriptor = openSync(`${folder}/file`, "w");
  const { dev, ino } = fstatSync(descriptor);
  const leads = (stream: string): boolean =>
    leadsToJournal(runtime.native, { env: { JOURNAL_STREAM: stream } }, descriptor);
  expect([leads(`${dev}:${ino}`), leads(`${dev}:${ino + 1}`), leads("")]).toEqual([true, false, false]);
  closeSync(descriptor);
});
