/** Calls through a mesh as an app makes them: by name at an HTTP outbound listener, or at an explicit port. */
import type { Seen } from "./apps.ts";
import type { Machine } from "./mesh.ts";
import { waitFor } from "./processes.ts";
import { hangMs } from "./patience.ts";

export interface CallOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly limitMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** The body of an answer of test/support/apps.ts. */
  seen(): Seen;
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  return {
    status: response.status,
    text,
    headers: response.headers,
    seen: () => JSON.parse(text) as Seen,
  };
}

/** As `from` on that machine: `http://<to>.mesh<path>`, by the Host header. */
export async function callByName(
  machine: Machine,
  from: string,
  to: string,
  options: CallOptions = {},
): Promise<Answer> {
  const { path = "/", method = "GET", headers = {}, body, limitMs = hangMs } = options;
  const response = await fetch(`http://${machine.address}:${machine.httpPort(from)}${path}`, {
    method,
    headers: { ...headers, host: `${to}.mesh` },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(limitMs),
  });
  return answerOf(response);
}

export async function callUrl(url: string, options: { readonly proxy?: string } = {}): Promise<Answer> {
  return answerOf(await fetch(url, { ...options, signal: AbortSignal.timeout(hangMs) }));
}

/** Calls until the answer is as wanted: for what takes effect by a document or a registration. */
export async function callUntil(
  sentence: string,
  call: () => Promise<Answer>,
  wanted: (answer: Answer) => boolean,
  limitMs = hangMs,
): Promise<Answer> {
  let last = "";
  const attempt = async (): Promise<Answer | null> => {
    try {
      const answer = await call();
      last = `${answer.status} ${answer.text.slice(0, 300)}`;
      return wanted(answer) ? answer : null;
    } catch (error) {
      last = (error as Error).message;
      return null;
    }
  };
  try {
    return await waitFor(sentence, attempt, { limitMs, everyMs: 25 });
  } catch (error) {
    throw new Error(`${(error as Error).message}; the last answer was: ${last}`);
  }
}
