/** What the other proxy says about an answer that it gave itself. It is a peer: only what is known is taken at its word. */
import type { ResponseHead } from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import { isFlag, type Flag, type Outcome } from "../../model/outcome.ts";
import { grpcCodes } from "../../wire/grpc.ts";
import { codeForCaller, errorCodes } from "../../wire/h2/frames.ts";
import { errorField, grpcField, repeatField, resetField } from "../fields/heddle_fields.ts";

const callersFault: ReadonlySet<Flag> = new Set(["AD", "DPE", "RL", "DP"]);
const policysFault: ReadonlySet<Flag> = new Set(["PD", "PE"]);

/** null for an answer of the service, also one that claims to be a proxy's: the proxy of its app has that field end there. */
export function proxyFailure(head: ResponseHead): Outcome | null {
  const error = head.fields.get(errorField);
  if (error === null || head.nominated?.includes(errorField) === true) return null;
  const slash = error.indexOf("/");
  const said = slash < 0 ? error : error.slice(0, slash);
  // Whoever says what nobody understands breaks the protocol between proxies.
  const flag: Flag = isFlag(said) ? said : "UPE";
  const repeat = head.fields.get(repeatField);
  // Another machine may say what it likes, but no failure is told as a success, nor as one that is safe to send again.
  const reset = codeForCaller(numberIn(head.fields.get(resetField)) ?? errorCodes.refusedStream);
  const isSpent = numberIn(head.fields.get(grpcField)) === grpcCodes.resourceExhausted;
  const retrySeconds = numberIn(head.fields.get("retry-after"));
  return {
    flag,
    side: sideOf(flag),
    repeat: repeat === "yes" || repeat === "idempotent" ? repeat : "no",
    status: head.status,
    detail: error.slice(slash + 1, slash + 1 + limits.failureDetailLengthMax),
    ...(reset === null ? {} : { reset }),
    ...(isSpent ? { grpc: grpcCodes.resourceExhausted } : {}),
    ...(retrySeconds === null ? {} : { retryAfterMs: retrySeconds * 1_000 }),
  };
}

function sideOf(flag: Flag): Outcome["side"] {
  if (policysFault.has(flag)) return "policy";
  return callersFault.has(flag) ? "downstream" : "upstream";
}

/** Codes have few digits. */
function numberIn(text: string | null): number | null {
  return text !== null && /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
}
