/**
 * Where exceptions go that nobody caught: out of a callback, out of a promise. Until somebody asks, a fault is printed and
 * ends the process, because going on after a broken invariant is worse.
 */
import { printableLines } from "../../src/base/printable.ts";

export interface Faults {
  report(error: unknown): void;
  /** Replaces what happens with a fault. */
  handle(call: (error: unknown) => void): void;
}

const faultExitCode = 70;

function printAndExit(error: unknown): void {
  const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(printableLines(`${said}\n`));
  process.exit(faultExitCode);
}

export function createFaults(): Faults {
  let handler: ((error: unknown) => void) | null = null;
  const report = (error: unknown): void => (handler ?? printAndExit)(error);
  return {
    report,
    handle(call) {
      if (handler === null) {
        process.on("uncaughtException", report);
        process.on("unhandledRejection", report);
      }
      handler = call;
    },
  };
}
