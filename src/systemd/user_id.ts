/** Users of this machine by their names, as passwd(5) lists them: those of other sources are none that heddle made. */
import type { Files } from "../../runtime/contract.ts";

/** null: there is no such user. */
export async function userId(files: Pick<Files, "read">, name: string): Promise<number | null> {
  const bytes = await files.read("/etc/passwd");
  const lines = bytes === null ? [] : new TextDecoder().decode(bytes).split("\n");
  const fields = lines.map((line) => line.split(":")).find(([user]) => user === name);
  return fields === undefined ? null : Number(fields[2]);
}
