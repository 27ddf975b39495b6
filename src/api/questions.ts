/**
 * What operators ask of proxies, through the controller: it passes a question on over the stream on which a machine follows its
 * snapshots, and what the machine answers to whoever asked. Nothing of a proxy is open to a network for this.
 */
import * as v from "valibot";
import { limits } from "../model/limits.ts";
import { flags } from "../model/outcome.ts";
import { metricFormats } from "../telemetry/exposition.ts";

const word = v.pipe(v.string(), v.maxLength(253));
const everyMs = v.nullable(
  v.pipe(
    v.number(),
    v.integer(),
    v.minValue(limits.questionEveryMinMs),
    v.maxValue(limits.questionEveryMaxMs),
  ),
);

const requestId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]{1,128}$/));

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const tapFilterSchema = v.strictObject({
  /** Which side's proxy tells; null: both. */
  direction: v.nullable(v.picklist(["inbound", "outbound"])),
  /** Keys of services: of either side, of the caller, of the one that was called. null: any. */
  service: v.nullable(word),
  from: v.nullable(word),
  to: v.nullable(word),
  method: v.nullable(v.pipe(v.string(), v.maxLength(limits.methodBytesMax))),
  /** As Access rules have it: exact, or with a last segment `*`. */
  path: v.nullable(v.pipe(v.string(), v.maxLength(limits.targetBytesMax))),
  /** The least and the greatest. */
  status: v.nullable(v.tuple([count, count])),
  /** Took as long, or longer. */
  slowerMs: v.nullable(count),
  /** `any`: each that has one. */
  flag: v.nullable(v.picklist([...flags, "any"])),
});

export type TapFilter = v.InferOutput<typeof tapFilterSchema>;

const questionSchema = v.variant("what", [
  /** What is known of the request with this id: each line is a RequestLine (model/evidence.ts). */
  v.strictObject({ what: v.literal("request"), id: requestId }),
  /** What would be decided of a request that has not happened: one DecideLine (model/evidence.ts). */
  v.strictObject({
    what: v.literal("decide"),
    /** Keys of services. */
    from: word,
    to: word,
    method: v.pipe(v.string(), v.minLength(1), v.maxLength(limits.methodBytesMax)),
    path: v.pipe(v.string(), v.startsWith("/"), v.maxLength(limits.targetBytesMax)),
    /** Names in lower case. */
    headers: v.pipe(
      v.array(v.strictObject({ name: v.string(), value: v.string() })),
      v.maxLength(limits.fieldCountMax),
    ),
  }),
  /** Requests and connections as they end, until nobody listens: each line is a TapLine (model/evidence.ts). */
  v.strictObject({
    what: v.literal("tap"),
    filter: tapFilterSchema,
    /** Beyond it they are dropped, and counted. */
    perSecond: v.pipe(count, v.minValue(1), v.maxValue(limits.tapLinesPerSecondMax)),
  }),
  /** Requests to a service, as policies are asked about them, with what those said: each line is a RecordingLine (model/recording.ts). */
  v.strictObject({
    what: v.literal("record"),
    /** Its key. */
    service: word,
    /** Of its requests, by the hash of their ids. */
    percent: v.pipe(v.number(), v.gtValue(0), v.maxValue(100)),
    /** Of this recording alone: what is secret is told as a word made with it. */
    salt: v.pipe(v.string(), v.minLength(16), v.maxLength(64)),
  }),
  /** What a policy logs, and how it fails, until nobody listens: each line is a PolicyLogLine (model/recording.ts). */
  v.strictObject({ what: v.literal("policy-log"), name: word }),
  /** What is under way to apps of this machine: each line is an UnderWayLine (model/reading.ts), one for each service. */
  v.strictObject({ what: v.literal("under-way") }),
  /** What was counted between its services and others since the line before: each line is a TrafficReading (model/traffic_reading.ts). */
  v.strictObject({
    what: v.literal("traffic"),
    everyMs: v.pipe(count, v.minValue(limits.questionEveryMinMs), v.maxValue(limits.questionEveryMaxMs)),
  }),
  /** Series of these metrics, once or again and again: each line is a MetricsReading (model/reading.ts). */
  v.strictObject({ what: v.literal("metrics"), names: v.pipe(v.array(word), v.maxLength(64)), everyMs }),
  /** What `heddle bugreport` finds there: each line is a piece of an archive in base64, a string. Admins alone may ask it. */
  v.strictObject({ what: v.literal("report") }),
  /** All metrics, as a page of this format: each line is a piece of it, a string. */
  v.strictObject({ what: v.literal("exposition"), format: v.picklist(metricFormats) }),
]);

export type Question = v.InferOutput<typeof questionSchema>;

export const askSchema = v.strictObject({
  question: questionSchema,
  /** null: every machine that is connected. */
  machines: v.nullable(v.pipe(v.array(word), v.maxLength(limits.documentsMax))),
});

/** By an operator. */
export type AskRequest = v.InferOutput<typeof askSchema>;

/** To a machine, among the lines of its snapshots. `cancel`: nobody waits for an answer any more. */
export type AskLine =
  | { readonly kind: "ask"; readonly ask: string; readonly question: Question }
  | { readonly kind: "cancel"; readonly ask: string };

export const askAnswerSchema = v.strictObject({
  ask: word,
  lines: v.pipe(v.array(v.unknown()), v.maxLength(limits.answerLinesMax)),
  /** Lines that were lost before these because they came faster than they could be sent. */
  dropped: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** Nothing more comes; `problem` says why there is no whole answer, null: there is. */
  end: v.nullable(v.strictObject({ problem: v.nullable(v.pipe(v.string(), v.maxLength(2_000))) })),
});

/** By a machine. */
export type AskAnswer = v.InferOutput<typeof askAnswerSchema>;

/** To the operator. The stream ends when every machine's answer has. */
export type AskedLine =
  | { readonly kind: "line"; readonly machine: string; readonly line: unknown }
  | { readonly kind: "dropped"; readonly machine: string; readonly count: number }
  | { readonly kind: "end"; readonly machine: string; readonly problem: string | null }
  | { readonly kind: "heartbeat" };
