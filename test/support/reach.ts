/** For tests of policies in which every service is there and takes every path. */
import type { Reach } from "../../src/policy/verdict.ts";

export const everywhere: Reach = { has: () => true, read: (_service, target) => target };
