/** Several controllers of one mesh: each with an intermediate of its own, one with the root's key. */
import { describe, expect, test } from "bun:test";
import { Authority, createAuthority, RotationRefused } from "../../../src/identity/authority.ts";
import { joinedAuthority, type AuthorityState } from "../../../src/identity/authority_state.ts";
import { generateKey, isBelow } from "../../../src/identity/keys.ts";

const hourMs = 3_600_000;
const spiffeId = "spiffe://corp.example/node/vm-1";

async function scene() {
  const time = { nowMs: Date.now() };
  const nowMs = (): number => time.nowMs;
  const saved: AuthorityState[] = [];
  const rooted = new Authority(await createAuthority("corp.example", nowMs()), async () => {}, nowMs);
  const key = generateKey();
  const certificatePem = await rooted.giveIntermediate("vm-2", key.publicKey);
  const state = joinedAuthority(rooted.shared, { certificatePem, keyPem: key.privatePem });
  const other = new Authority(state, async (next) => void saved.push(next), nowMs);
  other.askIntermediate = ({ publicKey }) => rooted.giveIntermediate("vm-2", publicKey);
  const leaf = () => other.issue({ spiffeId, publicKey: generateKey().publicKey, ttlMs: hourMs });
  return { time, rooted, other, leaf, saved };
}

describe("a controller without the root's key", () => {
  test("signs leaves below the same root, and has no key of it on disk", async () => {
    const { rooted, other, leaf, saved } = await scene();
    expect(isBelow((await leaf()).chainPem, rooted.rootPem)).toBe(true);
    expect(other.bundle).toEqual(rooted.bundle);
    expect(other.hasRoot).toBe(false);
    expect(saved.at(-1)?.roots.map(({ keyPem }) => keyPem)).toEqual([""]);
  });

  test("takes no step of a rotation", async () => {
    const { other } = await scene();
    expect(other.addRoot()).rejects.toThrow(RotationRefused);
    expect(other.giveIntermediate("vm-3", generateKey().publicKey)).rejects.toThrow(RotationRefused);
  });

  test("follows a rotation to its end, and signs below the new root as soon as that signs", async () => {
    const { time, rooted, other, leaf } = await scene();
    await leaf();
    await rooted.addRoot();
    expect(await other.follow(rooted.signedShared())).toBe(true);
    expect(other.bundle).toEqual(rooted.bundle);
    await rooted.switchRoot();
    time.nowMs += 1_000;
    expect(isBelow((await leaf()).chainPem, rooted.rootPem)).toBe(false);
    expect(rooted.lateControllers).toEqual(["vm-2"]);
    expect(rooted.removeOldRoot(true)).rejects.toThrow("the controllers of vm-2 still sign below it");
    expect(await other.follow(rooted.signedShared())).toBe(true);
    expect(isBelow((await leaf()).chainPem, rooted.rootPem)).toBe(true);
    // Since then nobody signs below the old root: what was issued before counts as late.
    expect(rooted.switchedMs).toBe(time.nowMs);
    expect(rooted.removeOldRoot()).rejects.toThrow("are valid until");
    time.nowMs = rooted.oldLeavesEndMs + 1;
    await rooted.removeOldRoot();
    expect(await other.follow(rooted.signedShared())).toBe(true);
    expect(other.bundle).toEqual(rooted.bundle);
  });

  test("believes nobody but a root that it trusts, and nothing older than it knows", async () => {
    const { rooted, other } = await scene();
    const before = rooted.signedShared();
    const stranger = new Authority(
      await createAuthority("corp.example", Date.now()),
      async () => {},
      Date.now,
    );
    expect(await other.follow(stranger.signedShared())).toBe(false);
    await rooted.addRoot();
    const { text } = rooted.signedShared();
    expect(await other.follow({ text, signature: before.signature })).toBe(false);
    await other.follow(rooted.signedShared());
    expect(await other.follow(before)).toBe(false);
    expect(other.bundle.rootsPem).toHaveLength(2);
  });

  test("does not go back to a root that signs no more by what was said before it did", async () => {
    const { time, rooted, other, leaf } = await scene();
    await leaf();
    await rooted.addRoot();
    const added = rooted.signedShared();
    await other.follow(added);
    await rooted.switchRoot();
    const switched = rooted.signedShared();
    await other.follow(switched);
    expect(await other.follow(added)).toBe(false);
    expect(other.rootPem).toBe(rooted.rootPem);
    time.nowMs += hourMs;
    await rooted.giveIntermediate("vm-3", generateKey().publicKey);
    expect(await other.follow(rooted.signedShared())).toBe(true);
    expect(await other.follow(switched)).toBe(false);
    expect(other.oldLeavesEndMs).toBe(rooted.oldLeavesEndMs);
  });

  test("goes on with its intermediate while the root's key cannot be asked for another one", async () => {
    const { time, other, leaf } = await scene();
    let asked = 0;
    other.askIntermediate = () => {
      asked++;
      return Promise.reject(new Error("away"));
    };
    time.nowMs += 60 * 24 * hourMs;
    await leaf();
    await leaf();
    expect(asked).toBe(1);
  });
});

test("a controller that is gone keeps no rotation from its end", async () => {
  const { time, rooted } = await scene();
  await rooted.addRoot();
  await rooted.switchRoot();
  time.nowMs = rooted.oldLeavesEndMs + 1;
  expect(rooted.lateControllers).toEqual(["vm-2"]);
  await rooted.forgetController("vm-2");
  await rooted.removeOldRoot();
  expect(rooted.bundle.rootsPem).toHaveLength(1);
});
