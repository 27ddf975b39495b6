/** What a machine would decide of a request that has not happened: as its proxy does now, or from the snapshot that lies on its disk. */
import type { Files } from "../../runtime/contract.ts";
import type { Question } from "../api/questions.ts";
import { UserError } from "../base/user_error.ts";
import { readJson } from "../identity/credential_store.ts";
import type { DecideLine } from "../model/evidence.ts";
import { serviceId } from "../model/identity.ts";
import { serviceKey } from "../model/service.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { isWhole } from "../model/snapshot_version.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import { fieldsFrom } from "../wire/head_fields.ts";
import { normalTarget, readTarget, type NormalTarget, type PathReading } from "../wire/target.ts";
import type { Answering } from "./answers.ts";
import type { StateFolder } from "./state_folder.ts";
import { calleeView, callerView, type Live } from "./views.ts";

export type DecideQuestion = Extract<Question, { readonly what: "decide" }>;

export function decideAnswering(
  plane: Pick<DataPlane, "state">,
  clock: { now(): number },
): Answering<"decide"> {
  return (question, reply) => {
    const { state } = plane;
    if (state === null) return reply.end("its proxy has not been told its configuration yet");
    const live = { destinations: state.destinations, locals: state.locals, nowMs: clock.now() };
    reply.line(decide(state.snapshot, question, live));
    reply.end();
  };
}

/** Of a machine whose proxy is not asked. Throws when there is no snapshot that can be read. */
export async function decideFromDisk(
  files: Pick<Files, "read">,
  folder: StateFolder,
  question: DecideQuestion,
): Promise<DecideLine & { readonly machine: string }> {
  const snapshot = await readJson<Snapshot>(files, folder.snapshot);
  if (snapshot === null)
    throw new UserError(
      `Cannot decide anything: ${folder.snapshot} is not there`,
      "Its proxy writes it when the controller has told it its configuration; --state DIR names another machine's folder",
    );
  if (!isWhole(snapshot)) throw new UserError(`Cannot decide anything: ${folder.snapshot} was damaged`);
  return { machine: snapshot.node, ...decide(snapshot, question, null) };
}

/** @visibleForTesting */
export function decide(snapshot: Snapshot, question: DecideQuestion, live: Live | null): DecideLine {
  const { from, to, method, headers } = question;
  const isCaller = snapshot.locals.some(({ service }) => serviceKey(service) === from);
  const isCallee = snapshot.locals.some(({ service }) => serviceKey(service) === to);
  const declared =
    snapshot.destinations.find(({ service }) => serviceKey(service) === to) ??
    snapshot.locals.find(({ service }) => serviceKey(service) === to);
  const read = declared === undefined ? null : targetOf(declared, question.path);
  const path = read?.path ?? null;
  const [name = "", namespace = ""] = from.split(".");
  const asked = { method, ...(read ?? { path: question.path, target: question.path }) };
  const fields = fieldsFrom(headers.flatMap(({ name: field, value }) => [field, value]));
  const sourceId = serviceId(snapshot.trustDomain, { name, namespace });
  const authority = fields.get("host")?.toLowerCase() ?? "";
  const subject = { ...asked, authority, fields, took: null, source: from, sourceId, service: to, tried: [] };
  return {
    isCaller,
    isCallee,
    path,
    caller: isCaller ? callerView(snapshot, subject, live) : null,
    callee: isCallee ? calleeView(snapshot, { method, path: asked.path, service: to, sourceId }, live) : null,
  };
}

/** As the service reads it; null: it takes none like it. */
function targetOf(reading: PathReading, given: string): NormalTarget | null {
  const normal = normalTarget(given);
  return normal === null ? null : readTarget(reading, normal.target);
}
