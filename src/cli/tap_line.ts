/** A request that was tapped, as one line: all of it, or on a narrow terminal what fits, the id with which `heddle why` explains it at its end. */
import type { TapLine } from "../model/evidence.ts";
import { bytesText, msText } from "./figures.ts";
import type { Terminal } from "./terminal.ts";
import { plainText, text, type Text } from "./text.ts";

type Look = Pick<Terminal, "paint" | "columns" | "interactive">;

export function tapText(terminal: Look, machine: string, line: TapLine): Text {
  const whole = wholeText(terminal, machine, line);
  if (!terminal.interactive || plainText(whole).length <= terminal.columns) return whole;
  return narrowText(terminal, line);
}

function wholeText({ paint }: Look, machine: string, line: TapLine): Text {
  const { direction, source, service, tls, requestId, endpoint, bytesOut, attempts } = line;
  const side = direction === "outbound" ? "out" : "in ";
  const tries = attempts > 1 ? text` ${paint.yellow(`${attempts} attempts`)}` : "";
  const where = endpoint === "" ? "" : ` ${endpoint}`;
  return text`${paint.dim(clockOf(line))} ${side} ${source === "" ? "unknown" : source} -> ${service} ${whatOf(line)} ${resultOf(paint, line)} ${msText(line.durationMs)} ${bytesText(bytesOut)}${tries}${paint.dim(`${where} tls=${tls ? "yes" : "no"} on ${machine} id=${requestId}`)}`;
}

/** Characters of a name, and the fewest of a path. */
const [nameMax, whatMin] = [22, 12];

function narrowText({ paint, columns }: Look, line: TapLine): Text {
  const { source, service, attempts, requestId, durationMs } = line;
  const ends = `${shortName(source)} > ${shortName(service)}`;
  const tries = attempts > 1 ? ` x${attempts}` : "";
  const result = resultOf(paint, line);
  const about = (what: string): Text =>
    text`${paint.dim(clockOf(line))} ${ends} ${what} ${result} ${msText(durationMs)}${paint.yellow(tries)} ${paint.dim(requestId)}`;
  const room = Math.max(whatMin, columns - plainText(about("")).length);
  return about(cutTo(plainText(whatOf(line)), room));
}

function clockOf({ atMs }: TapLine): string {
  return new Date(atMs).toISOString().slice(11, 23);
}

function whatOf({ kind, method, path }: TapLine): string {
  return kind === "tcp" ? "connection" : `${method} ${path}`;
}

function resultOf(paint: Look["paint"], { status, grpc, outcome }: TapLine): Text {
  const words = [status === 0 ? "" : String(status), grpc === "" ? "" : `grpc ${grpc}`, outcome?.flag ?? ""];
  const result = words.filter((word) => word !== "").join(" ") || "done";
  return outcome !== null || status >= 500 ? paint.red(result) : paint.green(result);
}

/** Without the namespace that most have. */
function shortName(key: string): string {
  return key === "" ? "unknown" : cutTo(key.replace(/\.default$/, ""), nameMax);
}

function cutTo(words: string, width: number): string {
  return words.length <= width ? words : `${words.slice(0, width - 1)}\u2026`;
}
