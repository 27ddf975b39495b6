/** What stands of the rules, as `nft --json list table inet heddle` tells it: what each has matched, and who called around the mesh. Pure. */
import { clearSets, type ClearCaller } from "./rules.ts";

/** A rule of a unit. */
export interface StandingRule {
  readonly unit: string;
  /** `mesh`, `all`, `all6`: connections that go through the proxy; `audit`, `enforce`: callers in clear text. */
  readonly what: string;
  readonly packets: number;
  /** Its slice was made anew since, and it matches nothing; or it redirects to where the proxy does not listen. */
  readonly stale: boolean;
}

export interface Standing {
  readonly rules: readonly StandingRule[];
  readonly clear: readonly ClearCaller[];
}

interface Expression {
  readonly redirect?: { readonly port?: unknown };
  readonly counter?: { readonly packets: number };
  readonly match?: { readonly left?: { readonly socket?: unknown }; readonly right?: unknown };
}
interface Element {
  readonly elem?: {
    readonly val?: { readonly concat?: readonly [string, number] };
    readonly counter?: { readonly packets: number };
  };
}
interface Listed {
  readonly rule?: { readonly comment?: string; readonly expr?: readonly Expression[] };
  readonly set?: { readonly name: string; readonly elem?: readonly Element[] };
}

/** `ports`: where the proxy listens for what is redirected. */
export function readStanding(json: string, ports: readonly number[]): Standing {
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly Listed[] };
  return {
    rules: nftables.flatMap(({ rule }) => (rule === undefined ? [] : ruleOf(rule, ports))),
    clear: nftables.flatMap(({ set }) =>
      set === undefined || !isClear(set.name) ? [] : (set.elem ?? []).flatMap(callerOf),
    ),
  };
}

/** As they were written down, whatever stands there. */
export function readClearCallers(bytes: Uint8Array | null): readonly ClearCaller[] {
  try {
    const read: unknown = JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));
    return Array.isArray(read) ? read.filter(isClearCaller) : [];
  } catch {
    return [];
  }
}

function isClearCaller(value: unknown): value is ClearCaller {
  const { address, port, packets } = (value ?? {}) as Partial<ClearCaller>;
  return typeof address === "string" && Number.isInteger(port) && Number.isInteger(packets);
}

function ruleOf(
  { comment = "", expr = [] }: NonNullable<Listed["rule"]>,
  ports: readonly number[],
): StandingRule[] {
  const [unit = "", what] = comment.split(" ");
  if (what === undefined) return [];
  const packets = expr.find(({ counter }) => counter !== undefined)?.counter?.packets ?? 0;
  const slice = expr.find(({ match }) => match?.left?.socket !== undefined)?.match?.right;
  const redirect = expr.find((each) => each.redirect !== undefined)?.redirect;
  const isElsewhere = redirect !== undefined && !leadsTo(redirect, ports);
  const stale = (slice !== undefined && !isFolder(slice)) || isElsewhere;
  return [{ unit, what, packets, stale }];
}

/** `{"port": {"range": [7464, 7479]}}`, `{"port": 7450}` */
function leadsTo({ port }: { readonly port?: unknown }, ports: readonly number[]): boolean {
  const { range = [port, port] } = (port ?? {}) as { readonly range?: readonly unknown[] };
  const [first, last] = range;
  return first === ports[0] && last === ports.at(-1);
}

/** Of one that is gone there is only its number. */
function isFolder(slice: unknown): boolean {
  return typeof slice === "string" && slice.endsWith(".slice");
}

function callerOf({ elem }: Element): ClearCaller[] {
  const [address, port] = elem?.val?.concat ?? [];
  if (address === undefined || port === undefined) return [];
  return [{ address, port, packets: elem?.counter?.packets ?? 0 }];
}

function isClear(name: string): boolean {
  return name === clearSets[4] || name === clearSets[6];
}
