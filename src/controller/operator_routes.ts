/** What operators ask of the controller: documents in and out, and how things stand. */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../api/body.ts";
import type { ControlEnv } from "../api/caller.ts";
import type { ApplyAnswer, ApplyRequest } from "../api/document_messages.ts";
import { controllerPaths, type StatusPage } from "../api/messages.ts";
import type { PoliciesAnswer, RemoveRequest } from "../api/operator_messages.ts";
import { limits } from "../model/limits.ts";
import { pageQueryIn, type PageQuery } from "../api/pages.ts";
import type { DocumentRemoval } from "./document_removal.ts";
import type { Operators } from "./operators.ts";
import type { DocumentService } from "./documents.ts";

export interface OperatorRouteOptions {
  readonly operators: Operators;
  readonly documents: DocumentService;
  readonly removal: DocumentRemoval;
  readonly policies: () => PoliciesAnswer;
  readonly status: (query: PageQuery) => StatusPage;
  /** Refuses while nothing is known yet. */
  readonly requireReady: () => void;
  /** Who did what. */
  readonly log: (text: string) => void;
}

const files = v.pipe(
  v.array(v.strictObject({ file: v.pipe(v.string(), v.maxLength(4096)), text: v.string() })),
  v.maxLength(limits.documentsMax),
);
/** What is optional may be written as undefined, too. */
type Applied = Omit<ApplyRequest, "revision"> & { readonly revision?: number | undefined };
const applySchema = v.strictObject({
  files,
  policies: files,
  prune: v.boolean(),
  dryRun: v.boolean(),
  revision: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
}) satisfies v.GenericSchema<Applied>;

const word = v.pipe(v.string(), v.minLength(1), v.maxLength(253));
const removeSchema = v.strictObject({
  documents: v.pipe(
    v.array(v.strictObject({ kind: word, namespace: word, name: word })),
    v.maxLength(limits.documentsMax),
  ),
  policies: v.pipe(v.array(word), v.maxLength(limits.documentsMax)),
  dryRun: v.boolean(),
}) satisfies v.GenericSchema<RemoveRequest>;

export function mountOperatorRoutes(app: Hono<ControlEnv>, options: OperatorRouteOptions): void {
  const { operators, documents, removal, policies, status, requireReady, log } = options;
  app.get(controllerPaths.documents, (context) => {
    operators.require(context, "viewer");
    requireReady();
    return context.json(documents.list(pageQueryIn((name) => context.req.query(name))));
  });
  app.post(controllerPaths.documents, async (context) => {
    operators.require(context, "viewer");
    requireReady();
    const { revision, ...rest } = await readBody(context.req.raw, applySchema);
    const request = revision === undefined ? rest : { ...rest, revision };
    // To see what would change takes no right to change it.
    const operator = operators.require(context, request.dryRun ? "viewer" : "editor");
    const answer = await documents.apply(request, operator.name);
    if (!request.dryRun) logChanges(log, operator.name, answer);
    return context.json(answer);
  });
  app.post(`${controllerPaths.documents}/remove`, async (context) => {
    operators.require(context, "viewer");
    requireReady();
    const request = await readBody(context.req.raw, removeSchema);
    const operator = operators.require(context, request.dryRun ? "viewer" : "editor");
    const answer = await removal.remove(request, operator.name);
    if (!request.dryRun) logChanges(log, operator.name, answer);
    return context.json(answer);
  });
  app.get(controllerPaths.policies, (context) => {
    operators.require(context, "viewer");
    requireReady();
    return context.json(policies());
  });
  app.get(controllerPaths.status, (context) => {
    operators.require(context, "viewer");
    requireReady();
    return context.json(status(pageQueryIn((name) => context.req.query(name))));
  });
}

/** The first of many. */
const shownChangesMax = 20;

function logChanges(log: (text: string) => void, operator: string, { changes, revision }: ApplyAnswer): void {
  const made = changes.filter(({ change }) => change !== "unchanged");
  if (made.length === 0) return;
  const shown = made
    .slice(0, shownChangesMax)
    .map(
      ({ kind, name, change, hash }) =>
        `${kind} ${name} ${change}${hash === undefined ? "" : ` (bundle ${hash.slice(0, 12)})`}`,
    );
  const more = made.length - shown.length;
  log(`${operator} made revision ${revision}: ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`);
}
