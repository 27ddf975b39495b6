/** What the registry's API takes, checked to the last field before anything else looks at it. */
import * as v from "valibot";
import { record } from "../config/record.ts";
import { isName } from "../identity/spiffe_id.ts";
import { limits } from "../model/limits.ts";
import { Refusal } from "../api/problem.ts";
import { labelBytesOf } from "../model/service.ts";

const name = v.pipe(v.string(), v.check(isName, "expected a lower-case name of letters, digits and -"));
const portNumber = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const label = v.pipe(v.string(), v.maxLength(limits.labelLengthMax), v.check(isWellFormed, "expected text"));
const labels = v.pipe(
  record(label, label),
  v.check(
    (all) => Object.keys(all).length <= limits.labelsMax,
    ({ input }) =>
      `expected at most ${limits.labelsMax} labels (labelsMax), found ${Object.keys(input).length}`,
  ),
  v.check(
    (all) => labelBytesOf(all) <= limits.labelBytesMax,
    ({ input }) =>
      `expected at most ${limits.labelBytesMax} bytes (labelBytesMax), found ${labelBytesOf(input)}`,
  ),
);
const address = v.pipe(v.string(), v.regex(/^[A-Za-z0-9.:_-]{1,253}$/, "expected an address"));
const instanceId = v.pipe(v.string(), v.regex(/^[a-z0-9./-]{1,256}$/, "expected <machine>/<service>/<port>"));

const leaseMs = v.pipe(v.number(), v.integer(), v.minValue(limits.leaseMsMin), v.maxValue(limits.leaseMsMax));

/**
 * Proxies may be newer than the registry: what it does not know of an instance is left out, and the machine is a member nonetheless. Who
 * sends it is known, and bodies are bounded.
 */
export const registerSchema = v.object({
  instance: v.object({
    id: instanceId,
    service: v.strictObject({ name, namespace: name }),
    node: name,
    address,
    port: portNumber,
    labels,
    ready: v.boolean(),
    zone: v.optional(name),
    region: v.optional(name),
    network: v.optional(name),
    weight: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(limits.instanceWeightMax))),
    apart: v.optional(v.literal(true)),
    problem: v.optional(v.pipe(v.string(), v.maxLength(limits.instanceProblemLengthMax))),
  }),
  ttlMs: leaseMs,
});

const holdName = v.pipe(v.string(), v.regex(/^[a-z0-9/-]{1,128}$/, "expected a name"));

export const holdSchema = v.strictObject({
  name: holdName,
  value: v.pipe(v.string(), v.maxLength(4_096), v.check(isWellFormed, "expected text")),
  ttlMs: leaseMs,
});

export const releaseSchema = v.strictObject({ name: holdName });

export const deregisterSchema = v.object({ id: instanceId });

const key = v.pipe(
  v.string(),
  v.maxLength(limits.registryKeyBytesMax),
  v.regex(/^[\x21-\x7e]+$/, "expected printable ASCII without spaces"),
);
const value = v.pipe(
  v.string(),
  v.maxBytes(limits.registryValueBytesMax),
  v.check(isWellFormed, "expected text, found half of a surrogate pair"),
);
const revision = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const operation = v.variant("do", [
  v.strictObject({ do: v.literal("put"), key, value }),
  v.strictObject({ do: v.literal("delete"), key }),
]);

export const commitSchema = v.strictObject({
  conditions: v.pipe(
    v.array(v.strictObject({ key, modified: revision })),
    v.maxLength(limits.commitOperationsMax),
  ),
  operations: v.pipe(
    v.array(operation),
    v.maxLength(limits.commitOperationsMax),
    v.check(
      (all) => new Set(all.map((each) => each.key)).size === all.length,
      "expected each key once, found one twice",
    ),
  ),
});

/** Of a range or a watch. */
export function prefixIn(query: (name: string) => string | undefined): string {
  const prefix = query("prefix") ?? "";
  if (prefix.length <= limits.registryKeyBytesMax) return prefix;
  throw new Refusal(
    400,
    `Cannot read this prefix: it has ${prefix.length} characters, at most ${limits.registryKeyBytesMax} are allowed`,
  );
}

export function revisionIn(query: (name: string) => string | undefined): number {
  const from = query("from") ?? "";
  if (/^\d{1,15}$/.test(from)) return Number(from);
  throw new Refusal(400, `Cannot watch from "${from}": expected a revision`);
}

function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}
