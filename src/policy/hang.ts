/** When a policy hangs: what it may take of a processor before it answers, and of time however little of one it had. */
import { limits } from "../model/limits.ts";

export function hangCpuMs(cpuMs: number): number {
  return Math.max(limits.policyHangCpuMs, limits.policyHangFactor * cpuMs);
}

/** Far above: a machine that is busy with other things is not the policy's fault. */
export function hangWallMs(cpuMs: number): number {
  return Math.max(limits.policyHangMs, limits.policyHangWallFactor * hangCpuMs(cpuMs));
}
