/** Status codes of gRPC as text: those that there are. */
const codeForm = /^(?:\d|1[0-6])$/;

/** The code that a server sent, `0` to `16`: whatever else it sent is UNKNOWN, as gRPC has it. */
export function grpcCode(sent: string): string {
  return codeForm.test(sent) ? sent : "2";
}
