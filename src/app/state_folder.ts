/**
 * Where one machine keeps what must survive: one folder, one list of names. Everything secret in it is readable by its
 * owner alone.
 */
import type { ProcessHost } from "../../runtime/contract.ts";

export interface StateFolder {
  readonly path: string;
  /** Who this machine is and where its control plane is; written by `init` and `join`. */
  readonly settings: string;
  /** What they will be, where a controller writes them: until it has. */
  readonly settingsNext: string;
  /** The machine's own document: services, ports, upstreams. */
  readonly machine: string;
  /** The same as the proxy read it last. */
  readonly machineReady: string;
  /** Root and intermediate with their keys; only where a controller runs. */
  readonly authority: string;
  /** Credentials of the node and its services. */
  readonly credentials: string;
  /** Of the controller and of operators alone, as the authority is. */
  readonly control: string;
  readonly controllerCredential: string;
  readonly operator: string;
  /** Of the registry, whose credential the controller renews. */
  readonly registry: string;
  readonly registryCredential: string;
  readonly registryStore: string;
  /** Last good snapshot, with its hash inside. */
  readonly snapshot: string;
  readonly policies: string;
  /** Services that local apps asked for by name. */
  readonly uses: string;
  /** Its even shares of rates that the mesh shares. */
  readonly rates: string;
  /** Ports that apps had on all addresses. */
  readonly heldPorts: string;
  /** Of what lies here: see `upgrade/state_format.ts`. */
  readonly format: string;
  /** Which process of the proxy lets what is open finish, and then ends. */
  readonly ending: string;
}

export function stateFolder(path: string): StateFolder {
  return {
    path,
    settings: `${path}/heddle.json`,
    settingsNext: `${path}/control/heddle.next.json`,
    machine: `${path}/machine.yaml`,
    machineReady: `${path}/machine.ready.json`,
    authority: `${path}/authority`,
    credentials: `${path}/credentials`,
    control: `${path}/control`,
    controllerCredential: `${path}/control/controller.json`,
    operator: `${path}/control/operator.json`,
    registry: `${path}/registry`,
    registryCredential: `${path}/registry/registry.json`,
    registryStore: `${path}/registry/registry.db`,
    snapshot: `${path}/snapshot.json`,
    policies: `${path}/policies`,
    uses: `${path}/uses.json`,
    rates: `${path}/rates.json`,
    heldPorts: `${path}/ports.json`,
    format: `${path}/format`,
    ending: `${path}/proxy.ending`,
  };
}

/** The folder that `--state` or HEDDLE_STATE names; else /var/lib/heddle for root and a folder of the home for others. */
export function chooseStateFolder(host: ProcessHost, flag: string | undefined): StateFolder {
  const named = flag ?? host.env["HEDDLE_STATE"];
  if (named !== undefined && named !== "") return stateFolder(absolute(host, named));
  if (host.user === 0) return stateFolder("/var/lib/heddle");
  return stateFolder(`${host.home}/.local/state/heddle`);
}

function absolute(host: ProcessHost, path: string): string {
  const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  return trimmed.startsWith("/") ? trimmed : `${host.folder}/${trimmed}`;
}
