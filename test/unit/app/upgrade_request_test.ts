/** Who may ask a mode to go on as another program. */
import { describe, expect, test } from "bun:test";
import { requireRightful } from "../../../src/app/upgrade/request.ts";

type Stat = readonly [owner: number, mode: number];

const service = 990;
const sound: Readonly<Record<string, Stat>> = {
  "/own": [0, 0o755],
  "/state/upgrade.controller.json": [0, 0o644],
  "/opt/.heddle-next": [0, 0o755],
  "/opt/.heddle-next/heddle": [0, 0o755],
  "/opt": [0, 0o755],
  "/opt/heddle": [0, 0o755],
};

async function asked(changed: Readonly<Record<string, Stat>>, program = "/opt/.heddle-next/heddle") {
  const all: Readonly<Record<string, Stat>> = { ...sound, ...changed };
  const stat = async (path: string) => {
    const [owner, mode] = all[path] ?? [0, 0];
    const more = { size: 1, modifiedMs: 0, folder: false, inode: 1 };
    return path in all ? { ...more, owner, mode } : null;
  };
  const request = { program, back: "/opt/heddle" };
  return await requireRightful({ stat }, "/own", "/state/upgrade.controller.json", request).then(
    () => "done",
    (error: Error) => error.message,
  );
}

describe("an upgrade is done", () => {
  test("where root asks, or the owner of the program that runs", async () => {
    expect(await asked({})).toBe("done");
    const ada = Object.fromEntries(
      Object.entries(sound).map(([path, [, mode]]): [string, Stat] => [path, [1000, mode]]),
    );
    expect(await asked(ada)).toBe("done");
  });

  test("never where another mode of the machine asks, which runs as the same user", async () => {
    const request = await asked({ "/state/upgrade.controller.json": [service, 0o644] });
    expect(request).toStartWith("/state/upgrade.controller.json belongs to user 990: root or the owner");
  });

  test("never to a program that its owner did not put there", async () => {
    expect(await asked({ "/state/x": [service, 0o755], "/state": [service, 0o700] }, "/state/x")).toContain(
      "/state/x belongs to user 990",
    );
    expect(await asked({ "/tmp/x": [0, 0o755], "/tmp": [0, 0o1777] }, "/tmp/x")).toContain(
      "everybody may change",
    );
    expect(await asked({}, "/gone/x")).toBe("/gone/x is not there");
  });
});
