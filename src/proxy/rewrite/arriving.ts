/** A call that arrived, as its app gets it, and the answer of the app as its caller gets it. */
import type { OutgoingRequest, ResponseHead } from "../../http/exchange.ts";
import { digestFields } from "../../policy/bodies.ts";
import { deadlineFields } from "../../wire/deadline.ts";
import { mergeEdits, noEdits, type FieldEdits, type Fields } from "../../wire/fields.ts";
import { isGrpc } from "../../wire/grpc.ts";
import { fieldsFrom } from "../../wire/head_fields.ts";
import {
  callerField,
  errorField,
  heddleFields,
  noRetryField,
  requestIdField,
} from "../fields/heddle_fields.ts";

export function changed(
  { method, target, authority, fields, nominated, contentLength, upgrade, expectContinue }: OutgoingRequest,
  changes: Partial<OutgoingRequest>,
): OutgoingRequest {
  const same = { method, target, authority, fields, nominated, contentLength, upgrade, expectContinue };
  return { ...same, ...changes };
}

/** The head of an answer that no app gave. `error`: what it says of a failure; "" for none. */
export function givenHead(
  status: number,
  set: readonly string[],
  error: string,
  contentLength: number,
): ResponseHead {
  const fields = fieldsFrom(error === "" ? set : [...set, errorField, error]);
  return { status, fields, contentLength, tunnel: false, nominated: null, whole: contentLength === 0 };
}

/** What only heddle says is not the app's to say. Heads of drivers are more than they show: nothing but what is named is taken. */
export function withoutOwnFields(head: ResponseHead): ResponseHead {
  const own = heddleFields(head.fields);
  if (own === null) return head;
  const foreign = own.filter((name) => name !== noRetryField);
  if (foreign.length === 0) return head;
  const { status, fields, contentLength, tunnel, nominated, whole } = head;
  return { status, fields, contentLength, tunnel, nominated: [...foreign, ...(nominated ?? [])], whole };
}

/**
 * With what only heddle says to the app; `caller` is "" for one outside of the mesh, which is not told who calls. Where the call began on this machine, `set` has the request id already, and nearly always
 * nothing else but its trace: then the array is written out, since one that is spread costs two more.
 */
export function forApp({ remove, set, add }: FieldEdits, requestId: string, caller: string): FieldEdits {
  if (caller === "") return { remove, set, add };
  const plain = set.length === 0 || (set.length === 2 && set[0] === requestIdField);
  if (plain) return { remove, set: [requestIdField, requestId, callerField, caller], add };
  if (set.length === 4) {
    const [first, second, third, fourth] = set as readonly [string, string, string, string];
    return { remove, set: [first, second, third, fourth, callerField, caller], add };
  }
  return { remove, set: [...set, callerField, caller], add };
}

/** For the app, which learns how much of the time of its caller is left. */
export function withDeadline(
  { remove, set, add }: FieldEdits,
  fields: Fields | null,
  leftMs: number,
): FieldEdits {
  const left = fields === null ? null : deadlineFields(fields, leftMs, isGrpc(fields));
  return { remove, set: [...set, ...(left ?? [])], add };
}

/** The request with another body of so many bytes: what told of the one before goes. */
export function withBody(
  request: OutgoingRequest,
  edits: FieldEdits,
  bytes: number,
): readonly [OutgoingRequest, FieldEdits] {
  const gone: FieldEdits = { remove: digestFields, set: noEdits.set, add: noEdits.add };
  // What has no length said before may have trailers.
  const contentLength = request.contentLength < 0 ? -1 : bytes;
  return [changed(request, { contentLength }), mergeEdits(edits, gone)];
}
