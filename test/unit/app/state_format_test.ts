/** Which versions may use a state folder: the one that wrote it, the one after it, and the one before. */
import { describe, expect, test } from "bun:test";
import { reads, readFormat, requireFormat } from "../../../src/app/upgrade/state_format.ts";

const folder = { path: "/state", format: "/state/format" };
const version = (writes: number) => ({ writes, from: Math.max(1, writes - 1) });

function filesWith(text: string | null) {
  const written: string[] = [];
  const files = {
    written,
    read: async () => (text === null ? null : new TextEncoder().encode(text)),
    writeAtomic: async (_path: string, said: Uint8Array | string) => void written.push(String(said)),
  };
  return files;
}

describe("a state folder", () => {
  test("is read by versions of its format, one newer and one older", () => {
    const may = [1, 2, 3, 4, 5].filter((writes) => reads(version(writes), { writes: 3, from: 2 }));
    expect(may).toEqual([2, 3, 4]);
  });

  test("says from the first use on which version uses it", async () => {
    const files = filesWith("2 1\n");
    await requireFormat(files, folder, version(3));
    expect(files.written).toEqual(["3 2\n"]);
  });

  test("of versions that said nothing is of the first format, and stays so", async () => {
    const files = filesWith(null);
    await requireFormat(files, folder, version(1));
    expect([files.written, await readFormat(files, folder)]).toEqual([[], { writes: 1, from: 1 }]);
  });

  for (const [writes, hint] of [
    [1, "Run a newer heddle there"],
    [5, "Upgrade one version after the other"],
  ] as const)
    test(`is refused by version ${writes} where it is of format 3`, async () => {
      const files = filesWith("3 2\n");
      const refused = await requireFormat(files, folder, version(writes)).catch((error: Error) => error);
      expect(refused).toMatchObject({ name: "UserError", hint });
      expect(files.written).toEqual([]);
    });

  for (const text of ["", "3", "3 x\n", "1 2\n", "99999999 1\n"])
    test(`that says ${JSON.stringify(text)} is refused, naming its file`, async () => {
      const refused = await readFormat(filesWith(text), folder).catch((error: Error) => error);
      expect(String(refused)).toContain("Cannot read /state/format: expected two numbers");
    });
});
