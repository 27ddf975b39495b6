/** As much of `bun:test` as the conformance suite of the runtime uses, for hosts that have none. */
import { isDeepStrictEqual } from "node:util";

type Work = () => unknown;

export interface TestCase {
  readonly name: string;
  readonly work: Work;
}

/** What the files that were imported so far have declared, in their order. */
export const declared: TestCase[] = [];
export const endings: Work[] = [];
const groups: string[] = [];

function declare(name: string, work: Work): void {
  declared.push({ name: [...groups, name].join(" > "), work });
}

export const test = Object.assign(declare, {
  skipIf: (skipped: boolean) => (skipped ? (): void => {} : declare),
});

export function describe(name: string, work: Work): void {
  groups.push(name);
  work();
  groups.pop();
}

export function afterAll(work: Work): void {
  endings.push(work);
}

function fail(found: unknown, wanted: string, other?: unknown): never {
  const shown = [found, ...(other === undefined ? [] : [other])].map((each) => Deno.inspect(each));
  throw new Error(`expected ${shown.join(` ${wanted} `)}${other === undefined ? ` ${wanted}` : ""}`);
}

declare const Deno: { inspect(value: unknown): string };

/** Whether all that `wanted` names is in `found`. */
function includes(found: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return isDeepStrictEqual(found, wanted);
  if (typeof found !== "object" || found === null) return false;
  return Object.entries(wanted).every(([key, value]) =>
    includes((found as Readonly<Record<string, unknown>>)[key], value),
  );
}

function messageOf(work: unknown): string | null {
  try {
    (work as Work)();
    return null;
  } catch (error) {
    return String(error);
  }
}

function matchers(found: unknown) {
  return {
    toBe: (wanted: unknown) => void (Object.is(found, wanted) || fail(found, "to be", wanted)),
    toEqual: (wanted: unknown) => void (isDeepStrictEqual(found, wanted) || fail(found, "to equal", wanted)),
    toMatchObject: (wanted: unknown) => void (includes(found, wanted) || fail(found, "to match", wanted)),
    toBeNull: () => void (found === null || fail(found, "to be null")),
    toContain: (wanted: unknown) =>
      void ((found as string | unknown[]).includes(wanted as string) || fail(found, "to contain", wanted)),
    toBeGreaterThan: (wanted: number) => void ((found as number) > wanted || fail(found, ">", wanted)),
    toBeGreaterThanOrEqual: (wanted: number) =>
      void ((found as number) >= wanted || fail(found, ">=", wanted)),
    toBeLessThan: (wanted: number) => void ((found as number) < wanted || fail(found, "<", wanted)),
    toThrow: (wanted = "") => void (messageOf(found)?.includes(wanted) || fail(found, "to throw", wanted)),
  };
}

export function expect(found: unknown) {
  return {
    ...matchers(found),
    not: { toBe: (wanted: unknown) => void (Object.is(found, wanted) && fail(found, "not to be", wanted)) },
    rejects: {
      async toThrow(wanted = ""): Promise<void> {
        const said = await (found as Promise<unknown>).then(() => null, String);
        if (said === null || !said.includes(wanted)) fail(said, "to be thrown", wanted);
      },
    },
  };
}
