/** The start of a mode: beside or after the process that it takes over from, where there is one. */
import type { Runtime } from "../../../runtime/contract.ts";
import { problemOf } from "../../base/result.ts";
import { limits } from "../../model/limits.ts";
import type { StoredSocket } from "../../systemd/socket_store.ts";
import type { Running } from "../running.ts";
import type { Mode } from "../settings.ts";
import type { StateFolder } from "../state_folder.ts";
import { Predecessor } from "./predecessor.ts";

export interface Begun {
  readonly running: Running;
  /** Processes of generations before this one that still let what they have finish. */
  readonly draining: readonly number[];
  /** To be called when another process has taken over from this one. */
  readonly ceded: () => void;
}

/** Of the process that is the service of a mode, where it took over from another: the `PIDFile=` of its unit (systemd.service(5)). */
export function pidPath({ path }: Pick<StateFolder, "path">, mode: Mode): string {
  return `${path}/${mode}.pid`;
}

/** Resolves when what `begin` started is the service. `given`: absent where it takes over from nobody. `pidFile`: see `pidPath`. */
export async function takeOver(
  runtime: Runtime,
  pidFile: string,
  begin: (given?: readonly StoredSocket[]) => Promise<Running>,
): Promise<Begun> {
  const before = Predecessor.find(runtime);
  if (before === null) return { running: await begin(), draining: [], ceded: () => {} };
  try {
    const { sockets, draining } = await before.begin();
    const running = await begin(sockets);
    await served(runtime, running);
    await runtime.files.writeAtomic(pidFile, `${runtime.process.pid}\n`);
    await before.serves();
    return { running, draining, ceded: () => before.ceded() };
  } catch (error) {
    before.failed(problemOf(error));
    throw error;
  }
}

/** For ever, if it does not: whoever waits for it gives it up then. */
async function served({ clock }: Pick<Runtime, "clock">, running: Running): Promise<void> {
  while (running.waitsFor().length > 0)
    await new Promise<void>((done) => void clock.after(limits.managerReadyLookMs, done));
}
