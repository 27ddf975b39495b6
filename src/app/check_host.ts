/** What the machine itself must have: a kernel that can seal policies, and room where the state is kept. */
import type { Runtime } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { landlockVersion } from "../policy/landlock.ts";
import { tryCommand } from "../systemd/commands.ts";
import { ok, warn, type Finding } from "./finding.ts";
import type { StateFolder } from "./state_folder.ts";

const mib = 1024 * 1024;

export async function checkHost(runtime: Runtime, folder: StateFolder): Promise<Finding[]> {
  return [await checkKernel(runtime), ...(await checkRoom(runtime, folder))];
}

async function checkKernel({ native, files }: Runtime): Promise<Finding> {
  const landlock = landlockVersion(native);
  const seccomp = (await files.stat("/proc/sys/kernel/seccomp/actions_avail")) !== null;
  const missing = [...(landlock === 0 ? ["Landlock"] : []), ...(seccomp ? [] : ["seccomp"])];
  if (missing.length === 0) return ok("HED0018", "kernel", `Landlock ${landlock} and seccomp seal policies`);
  return warn(
    "HED0018",
    "kernel",
    `has no ${missing.join(" and no ")}: policies cannot be sealed`,
    "Linux 5.13 or later, with landlock among those of /sys/kernel/security/lsm (lsm= on the kernel's command line) and CONFIG_SECCOMP_FILTER",
  );
}

/** Nothing is said where df(1) is not there. */
async function checkRoom({ process }: Runtime, { path }: StateFolder): Promise<Finding[]> {
  const { code, output } = await tryCommand(process, ["df", "-Pk", path]).catch(() => ({
    code: 1,
    output: "",
  }));
  const free = Number(output.trim().split("\n").at(-1)?.split(/\s+/)[3]) * 1024;
  if (code !== 0 || !Number.isFinite(free)) return [];
  const detail = `${Math.floor(free / mib)} MiB are free for ${path}`;
  return [
    free >= limits.stateFreeBytesMin
      ? ok("HED0019", "disk", detail)
      : warn(
          "HED0019",
          "disk",
          detail,
          "Make room on its file system: without it nothing that is renewed can be kept",
        ),
  ];
}
