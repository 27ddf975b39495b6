/** Who this machine is and where its control plane is: one JSON file that `init` and `join` write and every mode reads. */
import type { Files } from "../../runtime/contract.ts";
import type { Address } from "../base/socket_address.ts";
import { ports, redirectedPorts } from "../model/ports.ts";
import { UserError } from "../base/user_error.ts";
import { requireOwnState, type StateHost } from "./own_state.ts";
import type { StateFolder } from "./state_folder.ts";

export const modes = ["registry", "controller", "proxy"] as const;
export type Mode = (typeof modes)[number];

export interface Settings {
  readonly format: 1;
  readonly trustDomain: string;
  readonly node: string;
  /** Where other machines reach this one. */
  readonly address: string;
  /** Loopback address of the local listeners and the admin pages. */
  readonly loopback: string;
  readonly ports: {
    readonly inbound: number;
    readonly outboundFirst: number;
    readonly admin: number;
    /** Of DNS for `*.mesh`; 0: none, and no virtual addresses. Absent: the default one. */
    readonly dns?: number;
  };
  /** Where the controller may be, as preferred. At least one; where this machine is a controller, the first is its own. */
  readonly controllers: readonly [Address, ...Address[]];
  /** The same of the registry. */
  readonly registries: readonly [Address, ...Address[]];
  /** `etcd://…` where the registry keeps everything. Absent: a file of this folder. */
  readonly store?: string;
  /** What `init` or `join` set up here. */
  readonly modes: readonly Mode[];
  /** Lifetime of issued leaf certificates, milliseconds; read by the controller. */
  readonly leafMs: number;
  /** Outbound listeners may stand beyond loopback: whoever reaches them acts as the local service. */
  readonly openListeners?: boolean;
  /** Event loops that carry the proxy's traffic; `auto`: as fits the machine. Absent: one. */
  readonly shards?: number | "auto";
}

/** null when this folder holds none. One that is not this user's own is refused: others would decide who this machine is. */
export async function readSettings(host: StateHost, folder: StateFolder): Promise<Settings | null> {
  await requireOwnState(host, folder);
  const bytes = await host.files.read(folder.settings);
  if (bytes === null) return null;
  try {
    return settingsIn(bytes, folder.settings);
  } catch (error) {
    // The power may have failed while they were written.
    return (await nextSettings(host.files, folder).catch(() => null)) ?? Promise.reject(error);
  }
}

async function nextSettings(files: Files, { settingsNext }: StateFolder): Promise<Settings | null> {
  const bytes = await files.read(settingsNext);
  return bytes === null ? null : settingsIn(bytes, settingsNext);
}

/** The settings, or an error that says how to get some. */
export async function requireSettings(host: StateHost, folder: StateFolder, mode: Mode): Promise<Settings> {
  // What root began to write, the controller may not read: then what stands is in force, until root writes again.
  if (mode === "controller") await settleSettings(host.files, folder).catch(() => {});
  const settings = await readSettings(host, folder);
  if (settings === null) {
    throw new UserError(
      `Cannot start the ${mode}: ${folder.path} holds no mesh membership`,
      mode === "proxy"
        ? "Run `heddle init` on the first machine, or `heddle join` with a token on this one. Another folder: --state DIR"
        : "Run `heddle init` first. Another folder: --state DIR",
    );
  }
  if (!settings.modes.includes(mode)) {
    throw new UserError(
      `Cannot start the ${mode}: this machine was set up for ${settings.modes.join(", ")} only`,
      `The ${mode} runs on the machine where \`heddle init\` was run`,
    );
  }
  return settings;
}

/**
 * Where there is a controller, its other units have the file mounted read-only, and a file that took its place would be open to them: it
 * stays the same file, and what will be in it is kept elsewhere until it is.
 */
export async function writeSettings(files: Files, folder: StateFolder, settings: Settings): Promise<void> {
  await files.makeFolder(folder.path, 0o700);
  const text = `${JSON.stringify(settings, null, 2)}\n`;
  const isMounted = settings.modes.includes("controller") && (await files.stat(folder.settings)) !== null;
  if (!isMounted) return await files.writeAtomic(folder.settings, text, 0o600);
  await files.makeFolder(folder.control, 0o700);
  // In one block, of one length, for whoever reads meanwhile.
  const whole = text.padEnd(Math.ceil(text.length / blockBytes) * blockBytes);
  await files.writeAtomic(folder.settingsNext, whole, 0o600);
  await settleSettings(files, folder);
}

/** Finishes a write that was interrupted. */
async function settleSettings(
  files: Pick<Files, "read" | "writeInPlace" | "remove">,
  { settings, settingsNext }: Pick<StateFolder, "settings" | "settingsNext">,
): Promise<void> {
  const next = await files.read(settingsNext);
  if (next === null) return;
  await files.writeInPlace(settings, next);
  await files.remove(settingsNext);
}

/** Of file systems. */
const blockBytes = 4_096;

/** Ports of the admin pages: the proxy has the configured one, the other modes of the same machine and the dashboard the next three. */
export function adminPort(settings: Settings, mode: Mode | "dashboard"): number {
  return settings.ports.admin === 0
    ? 0
    : settings.ports.admin + { proxy: 0, controller: 1, registry: 2, dashboard: 3 }[mode];
}

/** Where what others reach binds: every interface, except for a machine that has only loopback. */
export function bindHost(settings: Settings): string {
  return settings.address.startsWith("127.") ? settings.address : "0.0.0.0";
}

/** What older versions wrote has one address of each. */
interface WrittenSettings extends Omit<Settings, "controllers" | "registries"> {
  readonly controllers?: Settings["controllers"];
  readonly registries?: Settings["registries"];
  readonly controller?: Address;
  readonly registry?: Address;
}

function inForce(written: WrittenSettings, place: string): Settings {
  const { controller, registry, ...rest } = written;
  const controllers = written.controllers ?? (controller === undefined ? [] : [controller]);
  const registries = written.registries ?? (registry === undefined ? [] : [registry]);
  return {
    ...rest,
    controllers: atLeastOne("controllers", controllers, place),
    registries: atLeastOne("registries", registries, place),
  };
}

function atLeastOne(
  field: string,
  addresses: readonly Address[],
  place: string,
): readonly [Address, ...Address[]] {
  const [first, ...others] = addresses;
  if (first !== undefined) return [first, ...others];
  throw new UserError(
    `Cannot read ${place}: ${field}: expected one address or more, found none`,
    "Restore it, or remove the folder and join again",
  );
}

/** Throws, naming the place, where they are not what heddle writes. */
export function settingsIn(bytes: Uint8Array, place: string): Settings {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    const reason = (error as Error).message;
    throw new UserError(`Cannot read ${place}: ${reason}`, "Restore it, or remove the folder and join again");
  }
  if (typeof value !== "object" || value === null || (value as { format?: unknown }).format !== 1) {
    throw new UserError(`Cannot read ${place}: its format is not 1`, "Another version of heddle wrote it");
  }
  return inForce(value as WrittenSettings, place);
}

/** Where connections of intercepted units arrive: the firewall redirects within loopback. */
export function redirectedTo({ loopback }: Settings) {
  return { hosts: [loopback, "::1"], ports: [...redirectedPorts, ports.redirectedBefore] };
}
