/**
 * What an answer says about the endpoint that gave it. `hard`: it does not work. `busy`: it lives and asks for less, which is
 * no reason to take it out and leave more for the others. Everything else, errors of the caller too, is a success.
 */

export type Judgement = "success" | "busy" | "hard";

/** By HTTP status. 501 tells of the request, not of the endpoint. */
export function judgeStatus(status: number): Judgement {
  if (status === 429) return "busy";
  return status >= 500 && status !== 501 ? "hard" : "success";
}

/**
 * By gRPC status code. UNKNOWN and PERMISSION_DENIED are what applications say of a request; DEADLINE_EXCEEDED, INTERNAL,
 * UNAVAILABLE and DATA_LOSS are what they say of themselves. RESOURCE_EXHAUSTED is the 429 of gRPC.
 */
export function judgeGrpc(code: number): Judgement {
  if (code === 8) return "busy";
  return code === 4 || code === 13 || code === 14 || code === 15 ? "hard" : "success";
}
