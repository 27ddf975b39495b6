#!/usr/bin/env bash
# A SQLite database in WAL mode whose connection is closed while a prepared statement of it lives, then moved to another place by rename.
#
# Versions   Bun 1.4.5 (npm)
# Seen       Database.close() of bun:sqlite returns without an error, and the file stays open: the -wal and -shm files stay, and what was
#            committed is in the log alone. The file by itself, copied or renamed, lacks it. With every statement finalized before
#            there is one file with all of it, as SQLite has it of a last connection (https://www.sqlite.org/wal.html, section 2.2).
# Needs      node with npm. Fails when any of this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts bun@1.4.5 2>/dev/null
bun=$(ls node_modules/@oven/bun-*/bin/bun | head -1)

cat > probe.mjs <<'JS'
import { Database } from "bun:sqlite";
import { copyFileSync, readdirSync } from "node:fs";

function closed(name, finish) {
  const database = new Database(name, { create: true });
  database.run("PRAGMA journal_mode = WAL");
  database.run("CREATE TABLE entries (key TEXT)");
  const insert = database.prepare("INSERT INTO entries VALUES (?)");
  insert.run("a");
  finish(insert);
  database.close();
  const files = readdirSync(".").filter((each) => each.startsWith(name)).length;
  copyFileSync(name, `copy-${name}`);
  const copy = new Database(`copy-${name}`);
  const tables = copy.query("SELECT count(*) AS count FROM sqlite_master").get().count;
  return `${files} files, and ${tables} tables in the first alone`;
}
console.log(`with a living statement: ${closed("living.db", () => {})}`);
console.log(`with a finalized one: ${closed("finalized.db", (statement) => statement.finalize())}`);
JS
seen=$("$bun" probe.mjs)
printf 'Bun %s\n%s\n' "$("$bun" --version)" "$seen"

expected='with a living statement: 3 files, and 0 tables in the first alone
with a finalized one: 1 files, and 1 tables in the first alone'
[ "$seen" = "$expected" ] || { echo "This is not what was seen before" >&2; exit 1; }
