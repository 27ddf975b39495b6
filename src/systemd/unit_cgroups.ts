/**
 * Which unit a cgroup belongs to, by its number: systemd puts each unit into a folder of the unified hierarchy that is called as the unit is
 * (systemd.slice(5)). A number is never given twice, so what was found once stands for ever; folders are looked through again
 * where a number is new, now and then.
 */
import type { Clock, Files } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";

export interface UnitCgroupsOptions {
  readonly files: Pick<Files, "list" | "stat">;
  readonly clock: Pick<Clock, "now" | "after">;
  /** Where cgroup2 is mounted. */
  readonly root: string;
}

export class UnitCgroups {
  /** Paths below the root by number; null: looked for, and not there. */
  #paths = new Map<number, string | null>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;
  /** Looks that began, and the last of them that ended. */
  #begun = 0;
  #ended = 0;

  constructor(readonly options: UnitCgroupsOptions) {}

  /** undefined: not known yet, `find` looks. */
  known(cgroup: number): string | null | undefined {
    return this.#paths.get(cgroup);
  }

  /** null: there is none, or none any more. Rejects where folders cannot be read. */
  async find(cgroup: number): Promise<string | null> {
    const begun = this.#begun;
    // A look that began before may have passed by where the folder is.
    while (!this.#paths.has(cgroup) && this.#ended <= begun) await (this.#looking ??= this.#look());
    const found = this.#paths.get(cgroup) ?? null;
    if (this.#paths.size < limits.cgroupsMax) this.#paths.set(cgroup, found);
    return found;
  }

  async #look(): Promise<void> {
    const { clock, root } = this.options;
    const waitMs = this.#lookedMs + limits.cgroupsLookMs - clock.now();
    if (waitMs > 0) await new Promise<void>((done) => void clock.after(waitMs, done));
    this.#lookedMs = clock.now();
    const look = ++this.#begun;
    const paths = new Map<number, string | null>();
    try {
      await this.#walk(root, "", paths);
      for (const [cgroup, path] of this.#paths)
        if (path === null && paths.size < limits.cgroupsMax && !paths.has(cgroup)) paths.set(cgroup, null);
      this.#paths = paths;
      this.#ended = look;
    } finally {
      this.#looking = null;
    }
  }

  async #walk(root: string, path: string, paths: Map<number, string | null>): Promise<void> {
    const { files } = this.options;
    const names = (await files.list(root + path)).filter((name) => !isFileOfKernel.test(name));
    for (const name of names) {
      if (paths.size >= limits.cgroupsMax) return;
      const below = `${path}/${name}`;
      const stat = await files.stat(root + below).catch(() => null);
      if (stat === null || !stat.folder) continue;
      paths.set(stat.inode, below);
      await this.#walk(root, below, paths).catch(() => undefined);
    }
  }
}

/** What every cgroup has (cgroups(7)); systemd writes `_` before a unit that would be called alike. */
const isFileOfKernel = /^(?:cgroup|cpu|cpuset|io|memory|pids|hugetlb|rdma|misc|dmem|irq)\./;

/** `web.service`, `session-3.scope`: as the manager of the machine, or of user number `user`, calls it. null: it is no unit's. */
export function unitOfCgroup(path: string, user: number | null): string | null {
  const own = user === null ? "" : `/user.slice/user-${user}.slice/user@${user}.service/`;
  if (!path.startsWith(own)) return null;
  const unit = path
    .slice(own.length)
    .split("/")
    .find((part) => part !== "" && !part.endsWith(".slice"));
  if (unit === undefined) return null;
  return unit.startsWith("_") ? unit.slice(1) : unit;
}

/** Of somebody who logged in: no service of a user's manager either. */
export function isLoginCgroup(path: string): boolean {
  return (
    path.startsWith("/user.slice/") && !/\.service(?:\/|$)/.test(path.replace(/\/user@\d+\.service/, ""))
  );
}

/** Beside the old hierarchies, the unified one has a folder of its own. */
export async function cgroupRoot(files: Pick<Files, "stat">): Promise<string> {
  const own = "/sys/fs/cgroup";
  return (await files.stat(`${own}/cgroup.controllers`)) === null ? `${own}/unified` : own;
}
