/** What a caller is told when its request is over a rate. */
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { grpcCodes } from "../../wire/grpc.ts";
import type { RateRefusal } from "./rate_limit.ts";

/** `service`: its key. */
export function overRate(service: string, { rule, whose, perSecond, waitMs }: RateRefusal): Outcome {
  const [count, time] = perSecond >= 1 ? [perSecond, "second"] : [perSecond * 60, "minute"];
  const often = `${Number(count.toFixed(3))} requests a ${time}`;
  const detail = `${whose} may send ${service} ${often} (${rule} of its Traffic document: raise it there)`;
  const retryAfterMs = Math.min(waitMs, limits.retryPushbackMaxMs);
  const grpc = grpcCodes.resourceExhausted;
  return { flag: "RL", side: "downstream", repeat: "no", status: 429, grpc, retryAfterMs, detail };
}
