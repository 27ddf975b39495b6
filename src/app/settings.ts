/** Who this machine is and where its control plane is: one JSON file that `init` and `join` write and every mode reads. */
import type { Files } from "../../runtime/contract.ts";
import type { Address } from "../base/socket_address.ts";
import { ports } from "../model/ports.ts";
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
  return bytes === null ? null : settingsIn(bytes, folder.settings);
}

/** The settings, or an error that says how to get some. */
export async function requireSettings(host: StateHost, folder: StateFolder, mode: Mode): Promise<Settings> {
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

export async function writeSettings(files: Files, folder: StateFolder, settings: Settings): Promise<void> {
  await files.makeFolder(folder.path, 0o700);
  await files.writeAtomic(folder.settings, `${JSON.stringify(settings, null, 2)}\n`, 0o600);
}

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
  return { hosts: [loopback, "::1"], port: ports.redirected };
}
