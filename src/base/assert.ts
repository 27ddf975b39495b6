/** Assertions stay on in production: a broken invariant ends the connection (in tests, the process), never goes on. */
class AssertionFault extends Error {
  override readonly name = "AssertionFault";
}

/** Throws when what must be true is not. Never for bytes of a peer, a policy's answer or the environment. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new AssertionFault(`Broken invariant: ${invariant}`);
}
