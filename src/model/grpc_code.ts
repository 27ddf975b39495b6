/** Status codes of gRPC: the seventeen that there are. */
const codes: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 17 }, (_, code) => [String(code), code] as const),
);
/** UNKNOWN */
const unknown = 2;

/** The code that a server sent as text: whatever is none of them is UNKNOWN, as gRPC has it. */
export function grpcCode(sent: string): number {
  return codes.get(sent) ?? unknown;
}
