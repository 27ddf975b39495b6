/** Reads a JSON body against a schema: what does not fit is refused with the path, the value and what was expected. */
import * as v from "valibot";
import { Refusal } from "./problem.ts";

export async function readBody<Schema extends v.GenericSchema>(
  request: Request,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  let value: unknown;
  try {
    value = await request.json();
  } catch {
    throw new Refusal(400, "The body is no JSON");
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue) ?? "body";
  throw new Refusal(400, `Cannot read the body: ${path}: ${issue.message}`);
}
