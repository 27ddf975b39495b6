/** The passphrase of a backup: from a file, standard input or a person at the terminal; never from the command line, which all users read. */
import type { Runtime } from "../../runtime/contract.ts";
import { printableLines } from "../base/printable.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";

type Host = Pick<Runtime, "files" | "process">;

/** Its first line. `-` is standard input. */
export async function passphraseFrom({ files }: Pick<Host, "files">, file: string): Promise<string> {
  const path = file === "-" ? "/dev/stdin" : file;
  const bytes = await files.read(path);
  if (bytes === null) throw new UserError(`Cannot read the passphrase ${file}: there is no such file`);
  if (bytes.length > limits.passphraseBytesMax)
    throw new UserError(
      `Cannot use the passphrase in ${file}: it has ${bytes.length} bytes (at most ${limits.passphraseBytesMax})`,
    );
  return usable(new TextDecoder().decode(bytes).split(/\r?\n/)[0] ?? "");
}

/** Asks, and shows nothing of what is typed. */
export async function askedPassphrase(host: Host, question: string): Promise<string> {
  if (!host.process.terminal.interactive)
    throw new UserError(
      "Cannot ask for the passphrase: this is no terminal",
      "Say where it is: --passphrase-file FILE, - for standard input",
    );
  return usable(await typed(host, question));
}

/** Twice, so that a slip does not close the backup for ever. */
export async function newPassphrase(host: Host): Promise<string> {
  const first = await askedPassphrase(host, "Passphrase of the backup: ");
  if ((await typed(host, "The same once more: ")) === first) return first;
  throw new UserError("Cannot use the passphrase: the two that were typed differ");
}

function typed({ process }: Host, question: string): Promise<string> {
  process.stderr(printableLines(question));
  return new Promise((resolve, reject) => {
    let line = "";
    const keys = process.terminal.keys((text) => {
      for (const key of text) {
        const isEnd = key === "\r" || key === "\n";
        const isCancelled = key === "\u0003" || key === "\u0004";
        if (isEnd || isCancelled) {
          keys.close();
          process.stderr(printableLines("\n"));
          if (isEnd) resolve(line);
          else reject(new UserError("Cancelled: no passphrase was typed"));
          return;
        }
        if (key === "\u007f" || key === "\b") line = [...line].slice(0, -1).join("");
        else if (key === "\u0015") line = "";
        else if (key >= " ") line += key;
      }
    });
  });
}

function usable(passphrase: string): string {
  if (passphrase !== "") return passphrase;
  throw new UserError("Cannot use the passphrase: it is empty");
}
