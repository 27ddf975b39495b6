/** A state folder, and a secret, are this user's own or are not used. */
import { describe, expect, test } from "bun:test";
import type { Files } from "../../../runtime/contract.ts";
import { requireOwnSecret, requireOwnState } from "../../../src/app/own_state.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";

const me = 1000;
const folder = stateFolder("/state");

interface Entry {
  readonly mode: number;
  readonly owner?: number;
}

const sound: Readonly<Record<string, Entry>> = {
  "/state": { mode: 0o700 },
  "/state/authority": { mode: 0o700 },
  "/state/authority/authority.json": { mode: 0o600 },
  "/state/credentials": { mode: 0o700 },
  "/state/credentials/service.web.default.json": { mode: 0o600 },
  "/state/heddle.json": { mode: 0o600 },
  "/state/machine.yaml": { mode: 0o644 },
  "/state/control": { mode: 0o700 },
  "/state/control/operator.json": { mode: 0o600 },
  "/state/registry": { mode: 0o700 },
  "/state/registry/registry.db": { mode: 0o600 },
  "/state/registry/registry.json": { mode: 0o600 },
};

function hostWith(entries: Readonly<Record<string, Entry>>): Parameters<typeof requireOwnState>[0] {
  const files: Pick<Files, "stat" | "list"> = {
    stat: async (path) => {
      const entry = entries[path];
      return entry === undefined
        ? null
        : { size: 1, modifiedMs: 0, folder: false, mode: entry.mode, owner: entry.owner ?? me, inode: 0 };
    },
    list: async (path) =>
      Object.keys(entries)
        .filter((each) => each.startsWith(`${path}/`))
        .map((each) => each.slice(path.length + 1)),
  };
  return { files: files as Files, process: { user: me } };
}

const verdict = (path: string, entry: Entry): Promise<string> =>
  requireOwnState(hostWith({ ...sound, [path]: entry }), folder).then(
    () => "taken",
    (error: Error) => error.message,
  );

describe("a state folder", () => {
  test("is taken where all in it is its user's or root's, and where nothing is there yet", async () => {
    expect(await verdict("/state", { mode: 0o755 })).toBe("taken");
    for (const path of Object.keys(sound))
      expect([path, await verdict(path, { mode: sound[path]?.mode ?? 0, owner: 0 })]).toEqual([
        path,
        "taken",
      ]);
    await requireOwnState(hostWith({}), folder);
  });

  test("is refused where something in it belongs to somebody else", async () => {
    for (const path of Object.keys(sound))
      expect(await verdict(path, { mode: sound[path]?.mode ?? 0, owner: 1001 })).toBe(
        `Cannot use ${path}: it belongs to user 1001, and this runs as user 1000`,
      );
  });

  test.each([
    "/state",
    "/state/authority",
    "/state/credentials",
    "/state/machine.yaml",
    "/state/registry",
    "/state/registry/registry.db",
  ])("is refused where others may write to %s", async (path) => {
    expect(await verdict(path, { mode: 0o720 })).toBe(
      `Cannot use ${path}: others than its owner may write to it (mode 720)`,
    );
  });

  test.each([
    "/state/authority/authority.json",
    "/state/credentials/service.web.default.json",
    "/state/heddle.json",
    "/state/control/operator.json",
    "/state/registry/registry.json",
  ])("is refused where others may read %s", async (path) => {
    expect(await verdict(path, { mode: 0o604 })).toContain(
      `Cannot use ${path}: others than its owner may read`,
    );
  });
});

test("a secret elsewhere is held to the same, and one that is missing is another's matter", async () => {
  const host = hostWith({ "/ops.json": { mode: 0o640 } });
  await expect(requireOwnSecret(host, "/ops.json")).rejects.toThrow("Cannot use /ops.json: others");
  await requireOwnSecret(host, "/none.json");
});
