/** Keys of a terminal as they are pressed, and its size. */
import process from "node:process";
import type { TerminalHost } from "../contract.ts";

const usual = { columns: 100, rows: 30 } as const;

export function terminalHost(): TerminalHost {
  return {
    get interactive() {
      return process.stdout.isTTY === true;
    },
    get columns() {
      return sizeNow()?.[0] || usual.columns;
    },
    get rows() {
      return sizeNow()?.[1] || usual.rows;
    },
    keys(pressed) {
      const { stdin } = process;
      const raw = stdin.isTTY === true;
      const take = (bytes: Uint8Array): void => pressed(new TextDecoder().decode(bytes));
      if (raw) stdin.setRawMode(true);
      stdin.on("data", take);
      stdin.resume();
      return {
        close() {
          stdin.off("data", take);
          stdin.pause();
          if (raw) stdin.setRawMode(false);
        },
      };
    },
  };
}

/** As it is now: what the stream remembers may be from before a change. */
function sizeNow(): readonly [number, number] | null {
  const { stdout } = process;
  if (stdout.isTTY !== true) return null;
  return typeof stdout.getWindowSize === "function" ? stdout.getWindowSize() : [stdout.columns, stdout.rows];
}
