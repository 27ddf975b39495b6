/** What the head of an answer says: of its endpoint, and of being tried again. */
import type { Outcome } from "../../model/outcome.ts";
import type { ResponseHead } from "../../http/exchange.ts";
import { grpcCode, grpcCodeNames } from "../../model/grpc_code.ts";
import { judgeGrpc, judgeStatus, type Judgement } from "../breaker/judge.ts";
import type { RetryRules } from "../retry/retry_rules.ts";
import type { FailedAnswer } from "./attempts.ts";
import { pauseOf } from "./repeats.ts";

const deadlineExceeded = grpcCodeNames.indexOf("DEADLINE_EXCEEDED");

/** One of gRPC shows by its first message or by its end whether it is an answer: null until then. `isShort`: see `judgeCode`. */
export function judgeHead(
  { status, fields }: ResponseHead,
  grpc: boolean,
  isShort: boolean,
): Judgement | null {
  if (!grpc || status !== 200) return judgeStatus(status);
  const code = fields.get("grpc-status");
  return code === null ? null : judgeCode(grpcCode(code), isShort);
}

/** An app tells a short deadline of its caller by DEADLINE_EXCEEDED, too. */
export function judgeCode(code: number, isShort: boolean): Judgement {
  return code === deadlineExceeded && isShort ? "success" : judgeGrpc(code);
}

/** The status of gRPC of an answer that is nothing else; -1 for any other. */
function statusAlone({ status, fields, whole }: ResponseHead, grpc: boolean): number {
  return whole && grpc && status === 200 ? grpcCode(fields.get("grpc-status") ?? "0") : -1;
}

/** An answer of the service after which its rules have the request sent again; null: it is none. */
export function failedAnswer(
  head: ResponseHead,
  grpc: boolean,
  { statuses, grpc: codes }: RetryRules,
  wallMs: number,
): FailedAnswer | null {
  if (statuses.size + codes.size === 0) return null;
  const code = statusAlone(head, grpc);
  if (!statuses.has(head.status) && !codes.has(code)) return null;
  return { status: head.status, grpc: code, ...pauseOf(head.fields, wallMs) };
}

/** What of an answer is no failure of the call, but no reason to stop another attempt for. */
export function poorAnswer(head: ResponseHead, grpc: boolean): FailedAnswer | null {
  const code = statusAlone(head, grpc);
  const says: Judgement = code < 0 ? judgeStatus(head.status) : judgeGrpc(code);
  return says === "success" ? null : { status: head.status, grpc: code, forbidden: false, pushback: null };
}

interface Hearing {
  readonly source: { readonly outside: boolean };
  readonly answer: { readonly grpc: boolean };
  readonly budgetSpent: boolean;
  readonly body: { readonly exchange: { readonly request: { readonly version: string } } };
}

/**
 * The answer of the other proxy would not say it in the words of gRPC, or not that the retries are used up, nor reset the stream; or it is
 * not for somebody outside of the mesh.
 */
export function isToldAnew(failure: Outcome, { source, answer, budgetSpent, body }: Hearing): boolean {
  const reset = failure.reset !== undefined && body.exchange.request.version === "HTTP/2";
  return answer.grpc || budgetSpent || reset || source.outside;
}
