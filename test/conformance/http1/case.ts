/** One case of the conformance suite as data: the bytes of a client, what the backend says, and what must come of it. */

/** MUST and SHOULD of an RFC, or heddle's own choice where the RFCs leave one. */
export type Level = "must" | "should" | "ours";

export interface Case {
  /** `37b`: the number of the rule and a letter for the variant. */
  readonly id: string;
  /** `9112 2.2`. */
  readonly rfc: string;
  readonly level: Level;
  readonly what: string;
  /** Octets. Each further part is sent once all before it has been answered (interim answers count). */
  readonly sends: readonly string[];
  /** Method of the first request, which decides how its answer is read. Default GET. */
  readonly method?: string;
  /** The listener: of all services, or of one. Default `all`. */
  readonly door?: "all" | "one";
  /** The client half-closes after its last part. */
  readonly leaves?: boolean;
  /** A further request follows, whose answer shows that both sides agree where a message ends. Default true. */
  readonly follows?: boolean;
  readonly backend?: BackendPlan;
  readonly expects: Expectation;
}

/** What the backend does with the first request of the case; later ones get a plain answer. */
export interface BackendPlan {
  /** Octets of the answer. */
  readonly says?: string;
  /** It ends the connection after that. */
  readonly closes?: boolean;
  /** What it says later on, unasked, on the idle connection. */
  readonly blurts?: string;
  /** It says `100 Continue` to whoever expects it. */
  readonly continues?: boolean;
}

export interface Expectation {
  /** Statuses of the answers in order, interim ones included; each may be one of several. */
  readonly statuses: readonly (readonly number[])[];
  /** Other answers that are right too. */
  readonly orStatuses?: readonly (readonly (readonly number[])[])[];
  /** The connection ends after them, and what follows is not answered; `any`: either is right. */
  readonly closes: boolean | "any";
  /** The last answer must be seen to be incomplete. */
  readonly incomplete?: boolean;
  /** Requests that reach the backend whole. */
  readonly reach: readonly RequestCheck[] | "any";
  /** Stands in no start line that reaches the backend, whole or not. */
  readonly neverReaches?: string;
  readonly answer?: AnswerCheck;
  /** The connection to the backend must not be used again. */
  readonly backendCloses?: boolean;
}

export interface RequestCheck {
  readonly line?: string;
  /** `name: value` exactly, name in lower case, or a name alone for any value. Default: the right Host. */
  readonly has?: readonly string[];
  /** Names. */
  readonly lacks?: readonly string[];
  readonly body?: string;
  /** Names that no trailer may have. */
  readonly lacksTrailers?: readonly string[];
}

/** Of the last answer before what follows. */
export interface AnswerCheck {
  /** `name: value`, or a name alone for any value. */
  readonly has?: readonly string[];
  readonly lacks?: readonly string[];
  readonly body?: string;
  /** Text that stands nowhere in it. */
  readonly never?: string;
}

export const host = "web.mesh";

/** The lines of a head with their ends, and what comes behind it. */
export function head(...lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A head with the right Host. */
export function request(line: string, ...fields: readonly string[]): string {
  return head(line, `Host: ${host}`, ...fields);
}

export const get = "GET / HTTP/1.1";
export const post = "POST / HTTP/1.1";

/** Refused with the status and closed; nothing of it reaches the backend. */
export function refused(...statuses: readonly number[]): Expectation {
  return { statuses: [statuses.length === 0 ? [400] : statuses], closes: true, reach: [] };
}

/** Refused, and whether the connection stays is left open. */
export function refusedOpen(...statuses: readonly number[]): Expectation {
  return { statuses: [statuses], closes: "any", reach: [] };
}

/** Answered 200 by the backend, on a connection that goes on. */
export function passes(check: RequestCheck = {}, answer?: AnswerCheck): Expectation {
  return { statuses: [[200]], closes: false, reach: [check], ...(answer === undefined ? {} : { answer }) };
}

/** Either side may be right about answering, but no second request may be found in it. */
export function neverSplit(...sends: readonly string[]): Pick<Case, "sends" | "expects"> {
  const expects: Expectation = {
    statuses: [[400, 411, 422, 501]],
    orStatuses: [[[200]]],
    closes: true,
    reach: "any",
    neverReaches: "/smuggled",
  };
  return { sends, expects };
}

/** What follows each case: the answer tells where the proxy believes that the case ended. */
export const follower = request("GET /follower HTTP/1.1", "Connection: close");
