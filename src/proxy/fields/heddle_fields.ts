/**
 * Fields that only heddle writes: who called, which attempt it is, what failed. Whatever else carries such a name, or one
 * that a careless reader could take for it, is left out before anybody reads it.
 */
import { fieldStride, type Fields } from "../../wire/fields.ts";
import { isOwnNameAt, requestIdName } from "../../wire/own_names.ts";

/** Service key of the verified caller, for the app. */
export const callerField = "x-heddle-caller";
/** 1 and more on requests that are sent again. */
export const attemptField = "x-heddle-attempt";
/** On an answer of an app that asks not to be tried again. It is the app's to say, and goes on to its caller. */
export const noRetryField = "x-heddle-no-retry";
/** `<flag>/<detail>` of an answer that a proxy gave itself. */
export const errorField = "x-heddle-error";
/** On an answer of a proxy after which the other proxy may send the request again: `yes` or `idempotent`. */
export const repeatField = "x-heddle-repeat";
/** On an answer of a proxy whose app reset the stream: the error code for the caller, in decimal digits. */
export const resetField = "x-heddle-reset";
/** On an answer of a proxy that gRPC has a status of its own for: that status. */
export const grpcField = "x-heddle-grpc";
/** What one proxy says to another about a failure, and to nobody else. */
export const failureFields: readonly string[] = [repeatField, resetField, grpcField];
/** On opaque connections between proxies: where the caller's client comes from, `10.0.0.7:51230`. */
export const clientField = "x-heddle-client";
/** On calls to a service whose protocol is not declared: `h2` when the client spoke HTTP/2. */
export const spokeField = "x-heddle-spoke";
/** On calls between proxies: the client of the caller's proxy, so that the other one can tell apart who shares a connection. */
export const flowField = "x-heddle-flow";
/** On calls between proxies: how much the request matters, as its route says, where that is not `default`. */
export const priorityField = "x-heddle-priority";
/** On calls between proxies: `1` on a request that a policy sent, which no policy follows with one of its own. */
export const policyField = "x-heddle-policy";
/** Of a request: the model that its body asks for, where that comes too late for routes that go by it. It is the caller's to say. */
export const modelField = "x-heddle-model";
export const requestIdField = requestIdName;

/** Names of fields that only heddle writes, or that pose as such; null when there is none, which is nearly always. */
export function heddleFields(fields: Fields): string[] | null {
  const { bytes, table, count } = fields;
  let found: string[] | null = null;
  for (let index = 0; index < count; index++) {
    const at = index * fieldStride;
    const start = table[at] as number;
    // The first letter tells most names apart without a call.
    if (((bytes[start] as number) | 0x20) !== 0x78) continue;
    if (isOwnNameAt(bytes, start, table[at + 1] as number)) (found ??= []).push(fields.nameAt(index));
  }
  return found;
}
