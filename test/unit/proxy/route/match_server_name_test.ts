import { expect, test } from "bun:test";
import { matchServerName } from "../../../../src/proxy/route/match_server_name.ts";

const routes = ["db.example", "*.eu.example", "*.example"].map((hostname) => ({ hostname }));
const matched = (serverName: string): string | null => matchServerName(routes, serverName)?.hostname ?? null;

test("an exact name goes to its route, whatever wildcards there are", () => {
  expect(matched("db.example")).toBe("db.example");
});

test("a wildcard takes one label and more, the first in the list that fits", () => {
  expect([
    matched("a.eu.example"),
    matched("a.b.eu.example"),
    matched("eu.example"),
    matched("x.example"),
  ]).toEqual(["*.eu.example", "*.eu.example", "*.example", "*.example"]);
});

test("a wildcard takes neither its own domain, nor an empty label, nor a name that only ends alike", () => {
  expect([matched("example"), matched(".example"), matched("badexample"), matched("db.example.org")]).toEqual(
    [null, null, null, null],
  );
});

test("no server name fits no route", () => {
  expect(matched("")).toBeNull();
});
