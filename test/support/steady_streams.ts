/**
 * Steady requests on connections of HTTP/2 in clear text, as steady_load.ts sends them on HTTP/1.1: each with its fate, none
 * tried again.
 */
import { connect, constants, type ClientHttp2Session } from "node:http2";
import { hangMs } from "./patience.ts";

export interface SteadyStreamsOptions {
  readonly host: string;
  readonly port: number;
  readonly authority: string;
  readonly path: string;
  readonly connections: number;
  /** Requests at a time on each. */
  readonly streams: number;
  /** Pause of each between an answer and its next request. */
  readonly everyMs: number;
}

export class SteadyStreams {
  readonly failures: string[] = [];
  answered = 0;
  /** Connections that ended before `stop`. */
  lost = 0;
  #running = true;
  #loops: Promise<void>[] = [];
  #sessions: ClientHttp2Session[] = [];

  constructor(readonly options: SteadyStreamsOptions) {}

  start(): this {
    const { host, port, connections, streams } = this.options;
    this.#sessions = Array.from({ length: connections }, () => connect(`http://${host}:${port}`));
    for (const session of this.#sessions) {
      session.on("error", (error) => this.failures.push(error.message));
      session.on("close", () => {
        if (this.#running) this.lost++;
      });
    }
    this.#loops = this.#sessions.flatMap((session) =>
      Array.from({ length: streams }, () => this.#loop(session)),
    );
    return this;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
    for (const session of this.#sessions) session.close();
  }

  async #loop(session: ClientHttp2Session): Promise<void> {
    while (this.#running && !session.closed) {
      const { authority, path, everyMs } = this.options;
      const { status, problem } = await requestOn(session, authority, path);
      if (problem === null && status === 200) this.answered++;
      else this.failures.push(problem ?? `status ${status}`);
      await Bun.sleep(everyMs);
    }
  }
}

export interface StreamAnswer {
  readonly status: number;
  readonly text: string;
  /** null: it came whole. */
  readonly problem: string | null;
}

export function requestOn(session: ClientHttp2Session, authority: string, path: string, limitMs = hangMs) {
  return new Promise<StreamAnswer>((resolve) => {
    const stream = session.request({ ":authority": authority, ":path": path });
    let status = 0;
    let text = "";
    let problem: string | null = null;
    const late = setTimeout(() => {
      problem = "late";
      stream.close(constants.NGHTTP2_CANCEL);
    }, limitMs);
    stream.setEncoding("utf8");
    stream.on("response", (head) => {
      status = head[":status"] ?? 0;
    });
    stream.on("data", (chunk: string) => {
      text += chunk;
    });
    stream.on("error", (error: Error) => {
      problem = error.message;
    });
    stream.on("close", () => {
      clearTimeout(late);
      resolve({ status, text, problem });
    });
  });
}
