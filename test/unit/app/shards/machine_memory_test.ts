/** What the processes of a machine may take, as the kernel and the control groups say it. */
import { expect, test } from "bun:test";
import { machineBytes } from "../../../../src/app/shards/machine_memory.ts";
import { filesOf } from "../../../support/text_files.ts";

const meminfo = "MemTotal:        2000 kB\nMemFree:         1 kB\n";

test.each([
  ["the machine has", { "/proc/meminfo": meminfo }, 2_048_000],
  ["nobody tells", { "/proc/meminfo": "denied" }, Infinity],
  [
    "its group of version 2 may take",
    { "/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "1000\n" },
    1_000,
  ],
  [
    "a group around its own may take, where its own has no bound",
    {
      "/proc/self/cgroup": "0::/a/b\n",
      "/sys/fs/cgroup/a/b/memory.max": "max\n",
      "/sys/fs/cgroup/a/memory.max": "900\n",
    },
    900,
  ],
  [
    "its group of version 1 may take",
    {
      "/proc/self/cgroup": "3:cpu:/x\n2:memory:/y\n0::/\n",
      "/sys/fs/cgroup/memory/y/memory.limit_in_bytes": "800\n",
    },
    800,
  ],
  ["a container may take", { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "700\n" }, 700],
])("is what %s", (_name, files: Record<string, string>, bytes) => {
  expect(machineBytes(filesOf({ "/proc/meminfo": meminfo, ...files }))).toBe(bytes);
});
