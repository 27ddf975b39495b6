/** How much of anything is let in: limits, rates, shedding. */
import type { Mutant } from "../mutant.ts";

const largeHeads = ["test/unit/proxy/large_heads_test.ts"];

export const bounds: readonly Mutant[] = [
  {
    fault: "a peer that says how large a head it takes is not heard",
    file: "src/wire/h2/settings.ts",
    find: "this.headListBytesMax = value;",
    replace: "",
    suites: largeHeads,
  },
  {
    fault: "fields that do not cross count against the head that the peer takes",
    file: "src/wire/h2/head_list.ts",
    find: "if (isDropped(fields, index, id, writing)) sum",
    replace: "if (isDropped(fields, index, id, writing) && false) sum",
    suites: largeHeads,
  },
  {
    fault: "a client is sent an answer with a larger head than it takes",
    file: "src/proxy/outbound.ts",
    find: "if (refusal !== null) {",
    replace: "if (refusal === undefined) {",
    suites: largeHeads,
  },
];
