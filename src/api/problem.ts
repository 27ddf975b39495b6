/** Refusals of the control APIs: one shape, in plain words. */
import { problemOf } from "../base/result.ts";
import type { ApiIssue, ApiProblem } from "./messages.ts";

/** Thrown inside a handler; becomes its answer. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 422 | 429 | 503,
    message: string,
    readonly hint: string | null = null,
    readonly issues: readonly ApiIssue[] | null = null,
  ) {
    super(message);
  }
}

/** What went wrong, as an answer. Anything but a Refusal is a fault of ours and says so. */
export function problemResponse(error: unknown): Response {
  if (!(error instanceof Refusal)) {
    const detail = problemOf(error);
    return Response.json({ error: `The server failed: ${detail}` } satisfies ApiProblem, { status: 500 });
  }
  const { message, hint, issues, status } = error;
  const problem: ApiProblem = {
    error: message,
    ...(hint === null ? {} : { hint }),
    ...(issues === null ? {} : { issues }),
  };
  return Response.json(problem, { status });
}
