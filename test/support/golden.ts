/** Compares a text with the file that holds what is right; GOLDEN=update writes the file instead. */
import { expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

export function expectGolden(path: string, actual: string): void {
  if (process.env["GOLDEN"] === "update") writeFileSync(path, actual);
  expect(actual).toBe(
    existsSync(path) ? readFileSync(path, "utf8") : `(${path} is missing: GOLDEN=update writes it)`,
  );
}
