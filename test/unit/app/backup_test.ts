/** A backup comes back as it was, or is refused by name: cut, damaged, of a later format, or closed with another passphrase. */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import fc from "fast-check";
import { unpackTar, packTar } from "modern-tar";
import { packBackup, unpackBackup, type Backup } from "../../../src/app/backup_archive.ts";
import { isSealed, seal, unseal } from "../../../src/app/backup_seal.ts";
import { UserError } from "../../../src/base/user_error.ts";
import { hasProgram } from "../../support/processes.ts";
import { quick } from "../../support/quick.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const backup: Backup = {
  trustDomain: "corp.example",
  node: "vm-1",
  createdMs: 1_790_000_000_000,
  version: "1.2.3",
  parts: {
    settings: bytes("{}"),
    machine: bytes("kind: Machine\n"),
    authority: bytes("secret"),
    store: new Uint8Array(5_000).fill(7),
  },
};
const archive = await packBackup(backup);

/** The same with another list. */
async function relisted(change: (list: Record<string, unknown>) => void): Promise<Uint8Array> {
  const entries = await unpackTar(Uint8Array.from(archive));
  return packTar(
    entries.map(({ header, data = new Uint8Array(0) }) => {
      if (header.name !== "backup.json") return { header, body: data };
      const list = JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>;
      change(list);
      const body = bytes(JSON.stringify(list));
      return { header: { ...header, size: body.length }, body };
    }),
  );
}

describe("an archive", () => {
  test("gives back what was put into it", async () => {
    expect(await unpackBackup(archive, "b")).toEqual(backup);
  });

  test("that lost or changed any byte is refused, or holds what it held", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(archive.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
        const other = cut ? archive.slice(0, at) : Uint8Array.from(archive);
        if (!cut) other[at] = value;
        try {
          const { parts } = await unpackBackup(other, "b");
          expect(parts).toEqual(backup.parts);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          expect((error as Error).message).toStartWith("Cannot restore b: ");
        }
      }),
      { numRuns: 300 },
    );
  });

  test("of anything else is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (junk) => {
        await expect(unpackBackup(junk, "b")).rejects.toThrow("Cannot restore b: ");
      }),
    );
  });

  test("of a later format names the version that can restore it", async () => {
    const later = await relisted((list) => {
      list["format"] = 2;
      list["version"] = "9.0.0";
    });
    const error = await unpackBackup(later, "b").catch((failed: UserError) => failed);
    expect([(error as UserError).message, (error as UserError).hint]).toEqual([
      "Cannot restore b: its format is 2, this version knows 1",
      "heddle 9.0.0 wrote it: restore it with that version or a later one",
    ]);
  });

  test("without a part names it", async () => {
    const without = await relisted((list) => {
      delete (list["parts"] as Record<string, unknown>)["registry.db"];
    });
    await expect(unpackBackup(without, "b")).rejects.toThrow("registry.db is missing in it");
  });
});

describe("a sealed backup", () => {
  // The format makes guesses at a passphrase dear, and tests too.
  test.skipIf(quick)(
    "opens with its passphrase alone, and not once it was changed",
    async () => {
      const sealed = await seal(archive, { kind: "passphrase", passphrase: "open sesame" });
      expect([isSealed(sealed), isSealed(archive)]).toEqual([true, false]);
      expect(await unseal(sealed, "b", { kind: "passphrase", passphrase: "open sesame" })).toEqual(archive);
      await expect(unseal(sealed, "b", { kind: "passphrase", passphrase: "open barley" })).rejects.toThrow(
        "Cannot open b: ",
      );
      const changed = Uint8Array.from(sealed);
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
      await expect(unseal(changed, "b", { kind: "passphrase", passphrase: "open sesame" })).rejects.toThrow(
        "Cannot open b: ",
      );
    },
    30_000,
  );

  test("for a key that is none says which it is", async () => {
    await expect(seal(archive, { kind: "recipients", recipients: ["ssh-rsa AAAA"] })).rejects.toThrow(
      "Cannot use ssh-rsa AAAA",
    );
    await expect(
      unseal(archive, "b", { kind: "identities", identities: "# a comment\nnothing" }),
    ).rejects.toThrow("Cannot use a line of the key file");
  });

  test.skipIf(!hasProgram("age"))(
    "for a key is opened by the program age, and by its key file here (needs age)",
    async () => {
      const folder = mkdtempSync(`${tmpdir()}/heddle-age-`);
      spawnSync("age-keygen", ["-o", `${folder}/key`]);
      const recipient = spawnSync("age-keygen", ["-y", `${folder}/key`], { encoding: "utf8" }).stdout.trim();
      const sealed = await seal(archive, { kind: "recipients", recipients: [recipient] });
      writeFileSync(`${folder}/backup`, sealed);
      const opened = spawnSync("age", ["--decrypt", "--identity", `${folder}/key`, `${folder}/backup`]);
      expect(Buffer.compare(opened.stdout, archive)).toBe(0);
      const identities = await Bun.file(`${folder}/key`).text();
      expect(await unseal(sealed, "b", { kind: "identities", identities })).toEqual(archive);
      rmSync(folder, { recursive: true });
    },
  );
});
