/** How many event loops a proxy has that is told nothing. */
import type { Mutant } from "../mutant.ts";

const folder = "src/app/shards";
const suites = [
  "test/unit/app/shards/shards_size_test.ts",
  "test/unit/app/shards/machine_cores_test.ts",
  "test/unit/app/shards/machine_memory_test.ts",
];

export const loops: readonly Mutant[] = [
  {
    fault: "a machine with little memory has as many event loops as cores",
    file: `${folder}/shards_size.ts`,
    find: "limits.shardsFittingMax, byMemory",
    replace: "limits.shardsFittingMax",
    suites,
  },
  {
    fault: "a quota of one core and a half lets one event loop run",
    file: `${folder}/machine_cores.ts`,
    find: "Math.ceil(",
    replace: "Math.floor(",
    suites,
  },
  {
    fault: "what bounds a container, whose group is the root that it sees, is not looked at",
    file: `${folder}/control_groups.ts`,
    find: "const folders = [root, ...",
    replace: "const folders = [...",
    suites,
  },
  {
    fault: "a bound of a group around the proxy's own is not looked at",
    file: `${folder}/control_groups.ts`,
    find: 'parts.map((_, at) => [root, ...parts.slice(0, at + 1)].join("/"))',
    replace: '[[root, ...parts].join("/")]',
    suites,
  },
];
