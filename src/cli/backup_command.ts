/** `heddle backup` and `heddle restore`: the control plane as one file, and a control plane from one. */
import type { Command } from "commander";
import { isSealed, type Seal, type SealKey } from "../app/backup_seal.ts";
import type { Restored, RestoreOptions } from "../app/restore.ts";
import { forbidDumps } from "../app/no_dumps.ts";
import { readSettings, type Settings } from "../app/settings.ts";
import type { StateFolder } from "../app/state_folder.ts";
import { addressText, type Address } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { ports } from "../model/ports.ts";
import { repeated, type Cli } from "./command.ts";
import { moreAddresses } from "./controller_address.ts";
import { runInForeground } from "./foreground.ts";
import { machineAnswer } from "./machine_answer.ts";
import { askedPassphrase, newPassphrase, passphraseFrom } from "./passphrase.ts";
import {
  installServices,
  sayPlan,
  servicesFor,
  withServiceFlags,
  type ServiceFlags,
} from "./service_flags.ts";
import type { Terminal } from "./terminal.ts";

interface SealFlags {
  readonly encrypt: boolean;
  readonly passphraseFile?: string;
  readonly recipient?: readonly string[];
}

interface BackupFlags extends SealFlags {
  readonly force: boolean;
  readonly retire: boolean;
}

export function registerBackup(program: Command, cli: Cli): void {
  const command = program
    .command("backup")
    .description("write the control plane of this machine, authority and registry, into one file")
    .argument("<file>", "where; it holds the keys of the mesh, readable by its owner alone")
    .option("--encrypt", "ask for a passphrase, and encrypt it with that (age-encryption.org/v1)", false)
    .option("--passphrase-file <file>", "the same, with the first line of a file; - for standard input")
    .option(
      "--recipient <key>",
      "encrypt it for the holder of this age key (age1…); repeat for more",
      repeated,
    )
    .option("--force", "over a file that is there", false)
    .option(
      "--retire",
      "end the control plane of this machine for good: it goes on where the file is restored",
      false,
    )
    .action((file: string, flags: BackupFlags) => backup(cli, command, file, flags));
}

async function backup(cli: Cli, command: Command, file: string, flags: BackupFlags): Promise<void> {
  const { files } = cli.runtime;
  const terminal = cli.terminal(command);
  forbidDumps(cli.runtime.native);
  if (!flags.force && (await files.stat(file)) !== null)
    throw new UserError(`Cannot write ${file}: there is a file already`, "Choose another, or --force");
  const how = await sealOf(cli, flags);
  const folder = cli.folder(command);
  const { makeBackup, requireControlPlane, retired } = await import("../app/backup.ts");
  // What is acknowledged after the copy would be lost.
  if (flags.retire)
    await endControlPlane(cli, terminal, folder, await requireControlPlane(cli.runtime, folder));
  const { archive, settings } = await makeBackup(cli.runtime, folder);
  const { seal } = await import("../app/backup_seal.ts");
  const bytes = how === null ? archive : await seal(archive, how);
  await files.writeAtomic(file, bytes, 0o600);
  if (flags.retire) await retired(cli.runtime, folder, settings);
  const { trustDomain, node } = settings;
  const encrypted = how !== null;
  if (terminal.format === "json")
    return terminal.json({ file, trustDomain, node, bytes: bytes.length, encrypted });
  terminal.line(`${file} holds the control plane of ${trustDomain}; heddle restore ${file} brings it back`);
  if (!encrypted)
    terminal.line("Whoever reads it can be anybody in the mesh: keep it as you keep keys, or use --encrypt");
  if (!flags.retire) return;
  const { authority, control, registry } = folder;
  terminal.line(
    `This machine is a member from now on. Once the mesh is served elsewhere: rm -r ${authority} ${control} ${registry}`,
  );
}

/** As services of the machine; what runs in the foreground is ended by whoever started it. */
async function endControlPlane(
  cli: Cli,
  terminal: Terminal,
  folder: StateFolder,
  settings: Settings,
): Promise<void> {
  const { MachineServices } = await import("../app/services.ts");
  const services = await MachineServices.find(cli.runtime, folder);
  await services?.retire(["controller", "registry"], (text) => terminal.problem(`  ${text}`));
  const { requireNoControlPlane } = await import("../app/control_ports.ts");
  requireNoControlPlane(cli.runtime, settings, "make the last backup");
}

async function sealOf(cli: Cli, flags: SealFlags): Promise<Seal | null> {
  const { encrypt, passphraseFile, recipient: recipients = [] } = flags;
  const given = [encrypt || passphraseFile !== undefined, recipients.length > 0].filter(Boolean);
  if (given.length > 1) throw new UserError("Cannot take both a passphrase and --recipient");
  if (recipients.length > 0) return { kind: "recipients", recipients };
  if (passphraseFile !== undefined)
    return { kind: "passphrase", passphrase: await passphraseFrom(cli.runtime, passphraseFile) };
  return encrypt ? { kind: "passphrase", passphrase: await newPassphrase(cli.runtime) } : null;
}

interface RestoreFlags extends ServiceFlags {
  readonly node?: string;
  readonly address?: string;
  readonly loopback?: string;
  readonly controllerAddress?: readonly Address[];
  readonly registryAddress?: readonly Address[];
  readonly passphraseFile?: string;
  readonly identity?: string;
  readonly force: boolean;
}

export function registerRestore(program: Command, cli: Cli): void {
  const command = program
    .command("restore")
    .description("make this machine the control plane that a backup is of, and start it")
    .argument("<file>", "as heddle backup wrote it")
    .option("--passphrase-file <file>", "its passphrase, the first line of a file; - for standard input")
    .option("--identity <file>", "key file of age, where it was encrypted for a --recipient")
    .option(
      "--node <name>",
      "name of this machine (default: what it is in the mesh already, else that of the backup, whose place it takes)",
    )
    .option("--address <address>", "address at which other machines reach this one")
    .option("--loopback <address>", "address of its local listeners (default: as in the backup)")
    .option(
      "--controller-address <address>",
      "host:port at which the controller is reached too; repeat for more",
      moreAddresses("controller"),
    )
    .option(
      "--registry-address <address>",
      "host:port at which the registry is reached too; repeat for more",
      moreAddresses("registry"),
    )
    .option("--force", "over the control plane that is here: what changed since the backup is lost", false)
    .option("--no-start", "only write the state; start it later");
  withServiceFlags(command).action((file: string, flags: RestoreFlags) => restore(cli, command, file, flags));
}

async function restore(cli: Cli, command: Command, file: string, flags: RestoreFlags): Promise<void> {
  const terminal = cli.terminal(command);
  const folder = cli.folder(command);
  const drainMs = cli.drainMs(command);
  forbidDumps(cli.runtime.native);
  const services = await servicesFor(cli.runtime, folder, flags);
  const wanted = {
    modes: ["registry", "controller", "proxy"] as const,
    controllers: [{ host: "", port: ports.controller }] as const,
    registries: [{ host: "", port: ports.registry }] as const,
  };
  await services?.requireInstallable(wanted);
  if (services !== null && flags.plan)
    return sayPlan(terminal, [`restore ${file} to ${folder.path}`, ...services.plan(wanted, drainMs)]);
  const standing = await readSettings(cli.runtime, folder);
  if (standing !== null) await services?.requireNoOther(standing);
  const options: RestoreOptions = {
    file,
    backup: await openedBackup(cli, file, flags),
    node: flags.node ?? null,
    address: flags.address ?? null,
    loopback: flags.loopback ?? null,
    controllerAddress: flags.controllerAddress ?? [],
    registryAddress: flags.registryAddress ?? [],
    force: flags.force,
  };
  const { restoreBackup } = await import("../app/restore.ts");
  const work = (): Promise<Restored> => restoreBackup(cli.runtime, folder, options);
  const { settings } = await (services === null
    ? work()
    : services.around(
        (changing) => changing().then(work),
        () => true,
      ));
  const { backup } = options;
  const made = new Date(backup.createdMs).toISOString();
  if (terminal.format === "json")
    terminal.json({ ...machineAnswer(settings, folder), createdMs: backup.createdMs });
  terminal.problem(`${settings.node} has the control plane of ${settings.trustDomain} as it was ${made}`);
  terminal.problem(
    "What was applied, joined or revoked after that is to be done again; tokens of before are worth nothing",
  );
  if (services !== null) {
    await installServices(terminal, services, settings, drainMs);
    return sayWhoFinds(terminal, settings.controllers[0]);
  }
  if (!flags.start) return sayWhoFinds(terminal, settings.controllers[0]);
  const { startEverything } = await import("../app/everything.ts");
  const running = await startEverything(cli.runtime, folder, settings);
  for (const line of running.summary.split("\n")) terminal.problem(line);
  sayWhoFinds(terminal, settings.controllers[0]);
  await runInForeground(cli.runtime, running, drainMs, (text) => terminal.problem(text));
}

function sayWhoFinds(terminal: Terminal, address: Address): void {
  const at = addressText(address);
  terminal.problem(`Machines that know ${at} come by themselves; on each other one: heddle join ${at}`);
}

async function openedBackup(cli: Cli, file: string, flags: RestoreFlags) {
  const { files } = cli.runtime;
  const stat = await files.stat(file);
  if (stat === null) throw new UserError(`Cannot restore ${file}: there is no such file`);
  if (stat.size > limits.backupBytesMax)
    throw new UserError(
      `Cannot restore ${file}: it has ${stat.size} bytes (at most ${limits.backupBytesMax})`,
    );
  const bytes = (await files.read(file)) ?? new Uint8Array(0);
  const { unpackBackup } = await import("../app/backup_archive.ts");
  if (!isSealed(bytes)) return unpackBackup(bytes, file);
  const { unseal } = await import("../app/backup_seal.ts");
  return unpackBackup(await unseal(bytes, file, await sealKeyOf(cli, flags)), file);
}

async function sealKeyOf(cli: Cli, { passphraseFile, identity }: RestoreFlags): Promise<SealKey> {
  const { files } = cli.runtime;
  if (passphraseFile !== undefined && identity !== undefined)
    throw new UserError("Cannot take both --passphrase-file and --identity");
  if (passphraseFile !== undefined)
    return { kind: "passphrase", passphrase: await passphraseFrom(cli.runtime, passphraseFile) };
  if (identity === undefined)
    return {
      kind: "passphrase",
      passphrase: await askedPassphrase(cli.runtime, "Passphrase of the backup: "),
    };
  const bytes = await files.read(identity);
  if (bytes === null) throw new UserError(`Cannot read the key file ${identity}: there is no such file`);
  return { kind: "identities", identities: new TextDecoder().decode(bytes) };
}
