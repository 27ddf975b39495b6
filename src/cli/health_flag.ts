/** `--health`: how an app is asked whether it is well. */
import { UserError } from "../base/user_error.ts";
import { healthOfFlag } from "../config/parts/health.ts";

export const healthHelp =
  "how it is asked whether it is well: an HTTP path that answers 2xx, grpc or grpc:NAME (grpc.health.v1), exec:/PROGRAM ARGUMENTS that ends with 0, or tcp (default: as its service says, else a TCP connect)";

/** As it was given, once it is one. */
export function healthFlag(text: string): string {
  if (healthOfFlag(text) !== null) return text;
  throw new UserError(
    `Cannot use --health "${text}": expected a path such as /healthz, grpc, grpc:NAME, exec:/PROGRAM ARGUMENTS or tcp`,
  );
}
