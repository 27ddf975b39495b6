/**
 * The points of an exchange at which policies are asked. One more is a line in each table here, what its call carries
 * (`policy_call.ts`), how the realm asks it (`realm.ts`), how authors write it (`sdk.ts`), what its answers come to
 * (`chain.ts`, `later_hooks.ts`), and the stage of the proxy that asks. Bundled with every policy: it imports nothing.
 */

/** What each may decide. */
export const decisions = {
  /** Once per request, before an endpoint is chosen. */
  onRequest: ["next", "route", "respond"],
  /** Once per opaque connection, before it is joined. */
  onConnection: ["next", "deny"],
  /** Once per request, after its service was chosen, where there are several endpoints. */
  pick: ["next", "prefer"],
  /** Once per answer of the service, before its head goes on. */
  onResponse: ["next", "respond"],
  /** For events of an answer that is a stream of them. */
  onEvent: ["next", "events"],
  /** For bytes of bodies on their way. */
  onChunk: ["next"],
  /** Once per exchange that a policy saw, when it is over. */
  onEnd: ["next"],
} as const;

export type Hook = keyof typeof decisions;

/** By the number that stands for each in a call. Bundles live longer than one version of heddle: new ones come last. */
export const hooks = [
  "onRequest",
  "pick",
  "onResponse",
  "onEnd",
  "onEvent",
  "onConnection",
  "onChunk",
] as const satisfies readonly Hook[];

/** Asked about each request, before anything else of it is known. */
export const requestHook = hooks[0];

/** Whose fields a recording has of each; null: a connection has none, and events and chunks are of a body, which is in no recording. */
export const recorded: Readonly<Record<Hook, "request" | "answer" | null>> = {
  onRequest: "request",
  onConnection: null,
  pick: "request",
  onResponse: "answer",
  onEvent: null,
  onChunk: null,
  onEnd: "request",
};

/** Bodies that policies may ask to see: under which name in `uses`, and the hook that finds each. */
export const bodyUses = [
  { use: "requestJson", of: "request", hook: "onRequest" },
  { use: "responseJson", of: "response", hook: "onResponse" },
] as const satisfies readonly { use: string; of: string; hook: Hook }[];

/** Those that decide whether something may go on at all. */
export const letsIn: ReadonlySet<Hook> = new Set(["onRequest", "onConnection"]);
