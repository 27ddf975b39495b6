/** SQLite by `bun:sqlite`: WAL, and every commit is on disk when it returns. */
import { Database as Sqlite } from "bun:sqlite";
import { closeSync, constants, fchmodSync, openSync } from "node:fs";
import type { Database, Databases, SqlValue, Statement } from "../contract.ts";

/** Waits this long for another process that has the file, such as a backup. */
const busyMs = 5_000;

function openFile(path: string): Sqlite {
  try {
    // What SQLite writes beside it has the mode of the file.
    if (path !== ":memory:") makePrivate(path);
    const file = new Sqlite(path, { create: true, strict: true });
    file.run("PRAGMA journal_mode = WAL");
    file.run("PRAGMA synchronous = FULL");
    file.run(`PRAGMA busy_timeout = ${busyMs}`);
    file.query("SELECT count(*) FROM sqlite_master").get();
    return file;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot open database ${path}: ${reason}`, { cause: error });
  }
}

/** Readable by its owner alone, before anything is in it. */
function makePrivate(path: string): void {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, ownerAlone);
  try {
    fchmodSync(file, ownerAlone);
  } finally {
    closeSync(file);
  }
}

const ownerAlone = 0o600;

export const databases: Databases = {
  open(path): Database {
    const file = openFile(path);
    const statements: { finalize(): void }[] = [];
    return {
      execute(sql) {
        file.run(sql);
      },
      prepare<Row extends Record<string, SqlValue>>(sql: string): Statement<Row> {
        const statement = file.prepare<Row, SqlValue[]>(sql);
        statements.push(statement);
        return {
          run: (...values) => ({ changes: statement.run(...values).changes }),
          get: (...values) => statement.get(...values),
          all: (...values) => statement.all(...values),
        };
      },
      transaction: (work) => file.transaction(work)(),
      // With statements that live on, the file would stay open, and what is in the log beside it would not be in it.
      close() {
        for (const statement of statements) statement.finalize();
        file.close();
      },
    };
  },
};
