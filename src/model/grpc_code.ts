/** Status codes of gRPC by their number: the seventeen that there are. */
export const grpcCodeNames = [
  ...(["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"] as const),
  ...([
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
  ] as const),
  ...(["OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"] as const),
] as const;
export type GrpcCodeName = (typeof grpcCodeNames)[number];

const codes: ReadonlyMap<string, number> = new Map(
  grpcCodeNames.map((_, code) => [String(code), code] as const),
);
/** UNKNOWN */
const unknown = 2;

/** The code that a server sent as text: whatever is none of them is UNKNOWN, as gRPC has it. */
export function grpcCode(sent: string): number {
  return codes.get(sent) ?? unknown;
}
