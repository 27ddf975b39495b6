/** Files of recorded traffic: read whole, each line doubted. */
import type { Files } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import {
  recordingFormat,
  type RecordedAnswer,
  type RecordedBinding,
  type RecordedRequest,
  type RecordingHead,
} from "../model/recording.ts";

export interface Recording {
  readonly head: RecordingHead;
  readonly bindings: ReadonlyMap<string, RecordedBinding>;
  /** By key, in the order in which they came. */
  readonly requests: ReadonlyMap<string, RecordedRequest>;
  readonly answers: readonly RecordedAnswer[];
}

/** Throws a UserError that names file, line and what was expected. */
export async function readRecording(files: Files, path: string): Promise<Recording> {
  const size = (await files.stat(path))?.size;
  if (size === undefined) throw new UserError(`Cannot read ${path}: there is no such file`);
  if (size > limits.recordingBytesMax)
    throw new UserError(
      `Cannot read ${path}: it has ${size} bytes, more than ${limits.recordingBytesMax} (recordingBytesMax). Record fewer requests, or a share of them`,
    );
  return recordingOf(path, new TextDecoder().decode((await files.read(path)) ?? new Uint8Array()));
}

/** @visibleForTesting */
export function recordingOf(path: string, text: string): Recording {
  let head: RecordingHead | null = null;
  const bindings = new Map<string, RecordedBinding>();
  const requests = new Map<string, RecordedRequest>();
  const answers: RecordedAnswer[] = [];
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    if (line.trim() === "") continue;
    const wrong = (what: string): UserError => new UserError(`Cannot use ${path}:${number}: ${what}`);
    const value = objectIn(line);
    if (value === null) throw wrong("it is no object of JSON");
    if (head === null) {
      head = headIn(value, wrong);
      continue;
    }
    const missing = missingIn(value);
    if (missing !== null) throw wrong(missing);
    const known = value as unknown as RecordedBinding | RecordedRequest | RecordedAnswer;
    if (known.kind === "binding") bindings.set(known.id, known);
    else if (known.kind === "request") requests.set(known.key, known);
    else answers.push(known);
  }
  if (head === null) throw new UserError(`Cannot use ${path}: it is empty`);
  return { head, bindings, requests, answers };
}

type Line = Readonly<Record<string, unknown>>;

function objectIn(line: string): Line | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Line) : null;
  } catch {
    return null;
  }
}

function headIn(line: Line, wrong: (what: string) => UserError): RecordingHead {
  if (line["kind"] !== "recording")
    throw wrong('it is no recording: expected {"kind":"recording","format":1,…} in its first line');
  if (line["format"] !== recordingFormat)
    throw wrong(`format is ${JSON.stringify(line["format"])}: this heddle reads ${recordingFormat}`);
  return line as unknown as RecordingHead;
}

/** What each line has to have. */
const fields: Readonly<Record<string, Readonly<Record<string, "string" | "number" | "array" | "object">>>> = {
  binding: { id: "string", policy: "string", hash: "string", options: "object" },
  request: {
    ...{ key: "string", atMs: "number", method: "string", authority: "string", target: "string" },
    ...{ fields: "array", sourceId: "string", service: "string", requestId: "string" },
  },
  answer: { key: "string", atMs: "number", binding: "string", hook: "string", said: "object" },
};

/** null: nothing. */
function missingIn(line: Line): string | null {
  const kind = String(line["kind"]);
  const wanted = Object.hasOwn(fields, kind) ? fields[kind] : undefined;
  if (wanted === undefined) return `kind is "${kind}": expected ${Object.keys(fields).join(", ")}`;
  for (const name in wanted) {
    const value = line[name];
    const found = Array.isArray(value) ? "array" : typeof value;
    if (found !== wanted[name] || value === null) return `${name} is missing or no ${wanted[name]}`;
  }
  return null;
}
