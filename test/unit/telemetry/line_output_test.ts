/** Lines for a reader that is slow, or gone: a real pipe that nobody reads. */
import { afterEach, expect, test } from "bun:test";
import { closeSync, readSync, writeSync } from "node:fs";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { outputLook } from "../../../src/telemetry/output_state.ts";
import { LineOutput } from "../../../src/telemetry/line_output.ts";
import { openPipe } from "../../support/unread_pipe.ts";

const { native } = createRuntime();
const outputState = outputLook(native);
const open = new Set<number>();
afterEach(() => {
  for (const each of open) closeSync(each);
  open.clear();
});

function pipe(): { readonly from: number; readonly to: number } {
  const ends = openPipe();
  open.add(ends.from).add(ends.to);
  return ends;
}

function outputTo(to: number, charactersMax: number): LineOutput {
  // The write itself would wait for a reader, for ever.
  const write = (text: string): void => void writeSync(to, text);
  return new LineOutput({ native, descriptor: to as 1, write, charactersMax });
}

/** What comes out of the pipe, until so many lines have. */
function read(from: number, output: LineOutput, lines: number): string {
  let text = Buffer.alloc(0);
  while (text.filter((byte) => byte === 0x0a).length < lines) {
    const part = new Uint8Array(1 << 16);
    text = Buffer.concat([text, part.subarray(0, readSync(from, part))]);
    output.flush();
  }
  return text.toString("utf8");
}

test("nothing waits for a pipe that nobody reads: what does not fit is dropped, whole lines, and counted", () => {
  const { from, to } = pipe();
  const output = outputTo(to, 100_000);
  const line = `${"é€😀x".repeat(200)}\n`;
  let written = 0;
  for (; written < 1_000; written++) output.write(line);
  expect(outputState(to)).toBe("full");
  expect(output.lost).toBeGreaterThan(100);
  const kept = written - output.lost;
  expect(read(from, output, kept)).toBe(line.repeat(kept));
});

test("what a reader takes is written whole and in order, whatever its characters", () => {
  const { from, to } = pipe();
  const output = outputTo(to, 1_000_000);
  const said = Array.from({ length: 3_000 }, (_, at) => `${at} ${"😀".repeat(at % 7)}`).join("\n") + "\n";
  output.write(said);
  expect(read(from, output, 3_000)).toBe(said);
  expect(output.lost).toBe(0);
});

test("a pipe whose reader is gone is told as closed", () => {
  const { from, to } = pipe();
  expect(outputState(to)).toBe("room");
  closeSync(from);
  open.delete(from);
  expect(outputState(to)).toBe("closed");
});
