/** `heddle registry`, `controller`, `proxy`: one mode from the state that init or join wrote, in the foreground. */
import type { Command } from "commander";
import { forbidDumps } from "../app/no_dumps.ts";
import type { Running } from "../app/running.ts";
import { requireSettings, type Mode, type Settings } from "../app/settings.ts";
import { settleLayout } from "../app/state_layout.ts";
import type { StateFolder } from "../app/state_folder.ts";
import { limits } from "../model/limits.ts";
import { UserError } from "../base/user_error.ts";
import type { Cli } from "./command.ts";
import { requireFormat } from "../app/upgrade/state_format.ts";
import { pidPath, takeOver } from "../app/upgrade/take_over.ts";
import type { StoredSocket } from "../systemd/socket_store.ts";
import { runInForeground } from "./foreground.ts";
import { parseShards, withShardsFlag, type ShardsFlag } from "./shards_flag.ts";

export function registerModes(program: Command, cli: Cli): void {
  const registry = addMode(
    program,
    cli,
    "registry",
    "run the registry: it keeps which services run where, and the documents that operators applied",
    async ({ folder, settings, given }) =>
      (await import("../app/registry_mode.ts")).startRegistry(cli.runtime, folder, settings, { given }),
  );
  registerCopy(registry, cli);
  addMode(
    program,
    cli,
    "controller",
    "run the controller: it checks documents, tells each proxy what to do, and issues identities",
    async ({ folder, settings, given }) =>
      (await import("../app/controller_mode.ts")).startController(cli.runtime, folder, settings, { given }),
  );
  const proxy = addMode(
    program,
    cli,
    "proxy",
    "run the proxy: it carries the traffic of this machine's services",
    async ({ folder, settings, given }, flags) =>
      (await import("../app/proxy_mode.ts")).startProxy(cli.runtime, folder, settings, {
        ...(flags.logSample === undefined ? {} : { logSampleRatio: ratio(flags.logSample) }),
        given,
        ...shardsOf(flags, cli.runtime.process.env["HEDDLE_SHARDS"]),
        ...shardsMemoryOf(cli.runtime.process.env["HEDDLE_SHARDS_MEMORY"]),
      }),
  ).option(
    "--log-sample <ratio>",
    "share of unremarkable exchanges in the access log, 0 to 1 (default: as telemetry.accessLog of the mesh says, 0.01)",
  );
  withShardsFlag(proxy, 'HEDDLE_SHARDS, else "shards" of heddle.json, else 1');
}

function registerCopy(registry: Command, cli: Cli): void {
  const command = registry
    .command("copy <from> <to>")
    .description(
      "copy what a registry keeps into an empty store: each is the path of a registry.db, or etcd://HOST:PORT/PREFIX; stop the registry first",
    );
  command.action(async (from: string, to: string) => {
    const { copyAndTell } = await import("./copy_command.ts");
    await copyAndTell(cli.runtime, cli.terminal(command), cli.folder(command).settings, from, to);
  });
}

interface ModeFlags extends ShardsFlag {
  readonly logSample?: string;
}

interface Starting {
  readonly folder: StateFolder;
  readonly settings: Settings;
  /** Of the process that this one takes over from; undefined: it takes over from none. */
  readonly given: readonly StoredSocket[] | undefined;
}

type Start = (starting: Starting, flags: ModeFlags) => Promise<Running>;

function addMode(program: Command, cli: Cli, mode: Mode, description: string, start: Start): Command {
  const command = program.command(mode).description(description);
  return command.action(async (flags: ModeFlags) => {
    const folder = cli.folder(command);
    const drainMs = cli.drainMs(command);
    forbidDumps(cli.runtime.native);
    const terminal = cli.terminal(command);
    await requireFormat(cli.runtime.files, folder);
    const begin = async (given?: readonly StoredSocket[]): Promise<Running> => {
      if (mode !== "proxy") await settleLayout(cli.runtime.files, folder, mode);
      const settings = await requireSettings(cli.runtime, folder, mode);
      const running = await start({ folder, settings, given }, flags);
      terminal.problem(running.summary);
      return running;
    };
    const { running, draining, ceded } = await takeOver(cli.runtime, pidPath(folder, mode), begin);
    const said = (text: string): void => terminal.problem(text);
    await runInForeground(cli.runtime, running, drainMs, said, { folder, mode, draining, ceded });
  });
}

/** Nothing where neither says it: then it is as the settings say. */
function shardsOf({ shards }: ShardsFlag, environment: string | undefined): ShardsFlag {
  if (shards !== undefined) return { shards };
  return environment === undefined ? {} : { shards: parseShards("HEDDLE_SHARDS")(environment) };
}

/** Bytes that all event loops of a proxy may take together, from MiB. */
function shardsMemoryOf(said: string | undefined): { readonly shardsMemoryMax?: number } {
  if (said === undefined) return {};
  const mib = Number(said);
  if (Number.isInteger(mib) && mib >= limits.shardsMemoryMinMib) return { shardsMemoryMax: mib * 1_048_576 };
  throw new UserError(
    `Cannot use HEDDLE_SHARDS_MEMORY "${said}": expected a whole number of MiB, ${limits.shardsMemoryMinMib} or more`,
  );
}

function ratio(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) {
    throw new UserError(`Cannot use --log-sample "${text}": expected a number from 0 to 1`);
  }
  return value;
}
