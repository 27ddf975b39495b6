/** What operators ask of the controller: documents in and out, and how things stand. */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../api/body.ts";
import { requireCaller, type ControlEnv } from "../api/caller.ts";
import { controllerPaths, type ApplyRequest, type StatusPage } from "../api/messages.ts";
import { limits } from "../model/limits.ts";
import { pageQueryIn, type PageQuery } from "../api/pages.ts";
import type { DocumentService } from "./documents.ts";

export interface OperatorRouteOptions {
  readonly trustDomain: string;
  readonly documents: DocumentService;
  readonly status: (query: PageQuery) => StatusPage;
  /** Refuses while nothing is known yet. */
  readonly requireReady: () => void;
}

const files = v.pipe(
  v.array(v.strictObject({ file: v.pipe(v.string(), v.maxLength(4096)), text: v.string() })),
  v.maxLength(limits.documentsMax),
);
const applySchema = v.strictObject({
  files,
  policies: files,
  prune: v.boolean(),
  dryRun: v.boolean(),
}) satisfies v.GenericSchema<ApplyRequest>;

export function mountOperatorRoutes(app: Hono<ControlEnv>, options: OperatorRouteOptions): void {
  const { trustDomain, documents, status, requireReady } = options;
  app.get(controllerPaths.documents, (context) => {
    requireCaller(context, trustDomain, "operator");
    requireReady();
    return context.json(documents.list(pageQueryIn((name) => context.req.query(name))));
  });
  app.post(controllerPaths.documents, async (context) => {
    requireCaller(context, trustDomain, "operator");
    requireReady();
    return context.json(await documents.apply(await readBody(context.req.raw, applySchema)));
  });
  app.get(controllerPaths.status, (context) => {
    requireCaller(context, trustDomain, "operator");
    requireReady();
    return context.json(status(pageQueryIn((name) => context.req.query(name))));
  });
}
