import { expect, test } from "bun:test";
import { firstPassing, passesUpgrade } from "../../../src/http/upgrade.ts";

test("WebSocket passes, others where they are named, HTTP in other clothes never", () => {
  expect(passesUpgrade("websocket", [])).toBe(true);
  expect(passesUpgrade("chat", [])).toBe(false);
  expect(passesUpgrade("chat", ["chat"])).toBe(true);
  expect(passesUpgrade("h2c", ["h2c"])).toBe(false);
});

test("of several protocols the first that passes is asked for", () => {
  expect(firstPassing("h2c, chat, websocket", "GET", ["chat"])).toBe("chat");
  expect(firstPassing("h2c, chat, websocket", "GET", [])).toBe("websocket");
  expect(firstPassing("h2c, websocket", "POST", [])).toBeNull();
  expect(firstPassing("h2c", "GET", ["h2c"])).toBeNull();
});
