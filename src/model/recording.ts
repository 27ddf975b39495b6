/**
 * Recorded traffic of a service, as policies see it: a file of lines of JSON, the head first. Bodies are never in it, and of what is
 * secret by its name the value is not. Lines of one exchange have its key; they stand in the order in which they happened.
 */

export const recordingFormat = 1;

export type RecordingLine = RecordedBinding | RecordedRequest | RecordedAnswer;

/** First line of a file. */
export interface RecordingHead {
  readonly kind: "recording";
  readonly format: number;
  /** Key of the service. */
  readonly service: string;
  readonly percent: number;
}

/** A policy as documents attach it; those that ask it name the line by its `id`. */
export interface RecordedBinding {
  readonly kind: "binding";
  readonly id: string;
  readonly policy: string;
  readonly hash: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface RecordedRequest {
  readonly kind: "request";
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly method: string;
  readonly authority: string;
  /** Path and query. */
  readonly target: string;
  /** Name, value, name, value …. */
  readonly fields: readonly string[];
  readonly sourceId: string;
  readonly service: string;
  readonly requestId: string;
  readonly deadlineMs?: number;
  readonly address?: string;
}

/** What a policy was asked, and said. */
export interface RecordedAnswer {
  readonly kind: "answer";
  readonly key: string;
  readonly atMs: number;
  /** Id of the binding. */
  readonly binding: string;
  readonly hook: string;
  /** What the hook is about beside the request; absent: nothing. */
  readonly about?: unknown;
  /** Of the answer of the service, where the hook is about that. */
  readonly fields?: readonly string[];
  /** As it was checked: `do` and the rest. */
  readonly said: unknown;
}

/** What a policy told beside its decision, or why it failed. */
export interface PolicyLogLine {
  readonly atMs: number;
  readonly requestId: string;
  /** Key of the service. */
  readonly service: string;
  /** First letters of the bundle's hash. */
  readonly bundle: string;
  readonly level: string;
  readonly message: string;
}
