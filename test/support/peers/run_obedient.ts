/**
 * Steady requests from clients that do as they are told, to be run by Node:
 * `run_obedient.ts <http/1.1|h2> <ms> <answers> <host> <port> <authority>`: at least so long and so many. A connection that is
 * said to end (GOAWAY, `Connection: close`) gets no request any more; another one is opened. Prints what was answered and
 * every request that was not.
 */
import http2 from "node:http2";
import http from "node:http";

export interface Obedience {
  readonly answered: number;
  readonly failures: readonly string[];
  /** Connections that were told to end. */
  readonly told: number;
  /** When a connection could not be opened, milliseconds from the start: nobody listens any more. */
  readonly refusedMs: number | null;
  /** From the first word of the end to the last answer. */
  readonly drainedMs: number;
}

const clients = 8;
const pauseMs = 2;
const longestMs = 60_000;
const [version = "", ms = "0", answers = "0", host = "", port = "0", authority = ""] = process.argv.slice(2);
const startedMs = performance.now();
const failures: string[] = [];
/** The last stream that the last GOAWAY of a session names. */
const lastIds = new WeakMap<http2.ClientHttp2Session, number>();
let answered = 0;
let told = 0;
let toldMs = Number.NaN;
let lastMs = 0;
let refusedMs: number | null = null;
/** Connections that the kernel had taken and nobody accepted any more when listening ended: when, and what was said. */
const turnedAway: { readonly atMs: number; readonly text: string }[] = [];
const turningAwayMs = 250;

const path = (at: number): string => `/poll?ms=${at % 50}`;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pauseMs));

/** The load has lasted long enough, or nobody takes it any more. */
function isOver(): boolean {
  const lastedMs = performance.now() - startedMs;
  if (refusedMs !== null || lastedMs > longestMs) return true;
  return lastedMs > Number(ms) && answered > Number(answers);
}

function isTold(): void {
  told++;
  if (Number.isNaN(toldMs)) toldMs = performance.now();
}

function isAnswered(): void {
  answered++;
  lastMs = performance.now();
}

async function overHttp2(): Promise<void> {
  while (!isOver()) {
    const session = http2.connect(`http://${host}:${port}`);
    const open = await new Promise<boolean>((resolve) => {
      session.once("connect", () => resolve(true));
      session.once("error", () => resolve(false));
    });
    if (!open) return void (refusedMs = performance.now() - startedMs);
    let obeys = false;
    session.on("error", () => {});
    session.on("goaway", (_code: number, lastId: number) => {
      if (!obeys) isTold();
      obeys = true;
      lastIds.set(session, lastId);
    });
    const calls: Promise<void>[] = [];
    for (let at = 0; !obeys && !session.closed && !isOver(); at++) {
      calls.push(overSession(session, at));
      await pause();
    }
    await Promise.all(calls);
    session.close();
  }
}

/**
 * The library refuses by itself what it had not sent when a GOAWAY came. A server can refuse only what is above the last stream
 * that it names.
 */
function isUnsent(session: http2.ClientHttp2Session, stream: http2.ClientHttp2Stream): boolean {
  const refused = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM;
  return refused && (stream.id ?? 0) <= (lastIds.get(session) ?? -1);
}

function overSession(session: http2.ClientHttp2Session, at: number): Promise<void> {
  return new Promise((resolve) => {
    const stream = session.request({ ":path": path(at), ":authority": authority });
    let status = 0;
    let text = "";
    stream.on("response", (head) => (status = Number(head[":status"])));
    stream.on("data", (chunk) => (text += String(chunk)));
    stream.on("error", (error) => (text = error.message));
    stream.on("close", () => {
      if (status === 200 && text === "polled") isAnswered();
      else if (!isUnsent(session, stream))
        failures.push(`${Math.round(performance.now() - startedMs)} ms: ${status} ${text}`);
      resolve();
    });
    stream.end();
  });
}

async function overHttp1(): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let at = 0; !isOver(); at++) {
    await overAgent(agent, at);
    await pause();
  }
  agent.destroy();
}

/** A connection that ends before the first byte of an answer had been idle: the request on it is sent once more (RFC 9112 section 9.3.1). */
function overAgent(agent: http.Agent, at: number, again = false): Promise<void> {
  return new Promise((resolve) => {
    const request = http.get({ host, port, agent, path: path(at), headers: { host: authority } });
    request.on("response", (response) => {
      let text = "";
      if (response.headers.connection === "close") isTold();
      response.on("data", (chunk) => (text += String(chunk)));
      response.on("error", (error) => (text = error.message));
      response.on("close", () => {
        if (response.statusCode === 200 && text === "polled") isAnswered();
        else failures.push(`${Math.round(performance.now() - startedMs)} ms: ${response.statusCode} ${text}`);
        resolve();
      });
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      const atMs = performance.now() - startedMs;
      if (error.code === "ECONNREFUSED") refusedMs ??= atMs;
      else if (error.code === "ECONNRESET" && !request.reusedSocket)
        turnedAway.push({ atMs, text: `${Math.round(atMs)} ms: ${error.message}` });
      else if (request.reusedSocket && !again) return void overAgent(agent, at, true).then(resolve);
      else failures.push(`${Math.round(atMs)} ms: ${error.message}`);
      resolve();
    });
  });
}

await Promise.all(Array.from({ length: clients }, () => (version === "h2" ? overHttp2() : overHttp1())));
const drainedMs = Number.isNaN(toldMs) ? 0 : Math.max(0, lastMs - toldMs);
const endMs = refusedMs ?? Number.POSITIVE_INFINITY;
for (const { atMs, text } of turnedAway) if (atMs < endMs - turningAwayMs) failures.push(text);
const result: Obedience = { answered, failures, told, refusedMs, drainedMs };
process.stdout.write(JSON.stringify(result), () => process.exit(0));
