/** How many cores a process may keep busy, as the scheduler and the control groups say it. */
import { expect, test } from "bun:test";
import { machineCores } from "../../../../src/app/shards/machine_cores.ts";
import { filesOf } from "../../../support/text_files.ts";

const eight = { "/proc/self/status": "Name:\theddle\nCpus_allowed_list:\t0-7\nMems_allowed_list:\t0\n" };

test.each([
  ["nobody bounds", {}, 8],
  [
    "a group of version 2 has no bound",
    { "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cpu.max": "max 100000\n" },
    8,
  ],
  [
    "a group of version 2 has two cores",
    { "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cpu.max": "200000 100000\n" },
    2,
  ],
  [
    "a group has a core and a half",
    { "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cpu.max": "150000 100000\n" },
    2,
  ],
  [
    "a group has a tenth of a core",
    { "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cpu.max": "10000 100000\n" },
    1,
  ],
  [
    "a group around its own has less than its own",
    {
      "/proc/self/cgroup": "0::/a/b\n",
      "/sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
      "/sys/fs/cgroup/a/cpu.max": "60000 20000\n",
    },
    3,
  ],
  [
    "the root of a container has one core",
    { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "100000 100000\n" },
    1,
  ],
  [
    "a group of version 1 has two cores",
    {
      "/proc/self/cgroup": "9:cpu,cpuacct:/x:y\n0::/\n",
      "/sys/fs/cgroup/cpu/x:y/cpu.cfs_quota_us": "100000\n",
      "/sys/fs/cgroup/cpu/x:y/cpu.cfs_period_us": "50000\n",
    },
    2,
  ],
  [
    "a group of version 1 has no bound",
    {
      "/proc/self/cgroup": "9:cpu:/x\n8:cpuacct:/y\n",
      "/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/cpu/y/cpu.cfs_quota_us": "100000\n",
    },
    8,
  ],
  [
    "a group's bound may not be read",
    { "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cpu.max": "denied" },
    8,
  ],
])("of eight cores, where %s", (_name, files: Record<string, string>, cores) => {
  expect(machineCores(filesOf({ ...eight, ...files }))).toBe(cores);
});

test("a system that tells nothing has one", () => {
  expect(machineCores(filesOf({}))).toBe(1);
});
