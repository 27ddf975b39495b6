/**
 * What couples a unit of this machine to the proxy: a drop-in (systemd.unit(5)) with order and a wish, and nothing that binds: a proxy
 * that ends, or is started again, must not take the app with it. What a strict unit needs before it may start, it requires.
 */
import type { Files } from "../../runtime/contract.ts";
import type { Manager } from "./manager.ts";
import type { RunStep, Step } from "./plan.ts";
import { unitName } from "./units.ts";
import { unitText, writtenByHeddle } from "./unit_text.ts";

const fileName = "50-heddle.conf";

function folderOf({ units }: Pick<Manager, "units">, unit: string): string {
  return `${units}/${unit}.d`;
}

export function dropInPath(manager: Pick<Manager, "units">, unit: string): string {
  return `${folderOf(manager, unit)}/${fileName}`;
}

/** The app starts after the proxy, and so ends before it. */
export function coupling(
  { units, systemctl }: Pick<Manager, "units" | "systemctl">,
  unit: string,
  /** The slice that it runs in from its next start on, and without what else it does not start; null: where it does. */
  intercepted: { readonly slice: string; readonly requires: readonly string[] } | null = null,
): readonly Step[] {
  const proxy = unitName("proxy");
  const { requires = [] } = intercepted ?? {};
  const text = unitText({
    Unit: {
      Wants: proxy,
      Requires: requires.length === 0 ? null : requires.join(" "),
      After: [proxy, ...requires].join(" "),
    },
    ...(intercepted === null ? {} : { Service: { Slice: intercepted.slice } }),
  });
  return [{ kind: "write", path: dropInPath({ units }, unit), text }, reload(systemctl)];
}

export function uncoupling(
  { units, systemctl }: Pick<Manager, "units" | "systemctl">,
  coupled: readonly string[],
): readonly Step[] {
  if (coupled.length === 0) return [];
  const removals = coupled.flatMap((unit): Step[] => {
    const folder = folderOf({ units }, unit);
    return [
      { kind: "remove", path: dropInPath({ units }, unit), onlyOwn: true },
      { kind: "remove", path: folder, onlyOwn: false, onlyEmpty: true },
    ];
  });
  return [...removals, reload(systemctl)];
}

/** Always: the first drop-in of a unit is not noticed by itself, and nothing warns of it. */
function reload(systemctl: readonly string[]): RunStep {
  return { kind: "run", command: [...systemctl, "daemon-reload"], when: "always", undo: null };
}

/** The units that are coupled here. */
export async function coupledUnits(
  files: Pick<Files, "list" | "read">,
  { units }: Pick<Manager, "units">,
): Promise<readonly string[]> {
  const folders = (await files.list(units)).filter((name) => name.endsWith(".service.d"));
  const texts = await Promise.all(folders.map((name) => files.read(`${units}/${name}/${fileName}`)));
  const own = (bytes: Uint8Array | null | undefined): boolean =>
    bytes !== null && bytes !== undefined && new TextDecoder().decode(bytes).startsWith(writtenByHeddle);
  return folders.filter((_, at) => own(texts[at])).map((name) => name.slice(0, -".d".length));
}
