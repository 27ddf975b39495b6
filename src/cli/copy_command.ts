/** `heddle registry copy`: what a registry keeps, into another store. */
import { copyStore } from "../app/copy_store.ts";
import { isEtcdAddress } from "../registry/etcd/etcd_address.ts";
import type { Runtime } from "../../runtime/contract.ts";
import type { Terminal } from "./terminal.ts";

/** `settings`: the file that names the store of a registry here. */
export async function copyAndTell(
  runtime: Runtime,
  terminal: Terminal,
  settings: string,
  from: string,
  to: string,
): Promise<void> {
  const copied = await copyStore(runtime, from, to);
  const counts = [...copied].map(([kind, count]) => `${count} of ${kind}`).join(", ");
  if (terminal.format === "json") return terminal.json({ copied: Object.fromEntries(copied) });
  terminal.problem(`Copied to ${to}: ${counts}. Instances register again by themselves`);
  terminal.problem(
    isEtcdAddress(to)
      ? `To use it, set "store": "${to}" in ${settings} of each machine with a registry, then start the registry again`
      : `To use it, put it to STATE/registry/registry.db, take "store" out of ${settings}, then start the registry again`,
  );
}
