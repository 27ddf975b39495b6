/** An operator as the registry keeps it. */
import type { OperatorRole } from "../api/operator_messages.ts";

export interface StoredOperator {
  readonly role: OperatorRole;
  readonly publicKey: string;
  readonly createdMs: number;
  /** When its last certificate ends. */
  readonly endsMs: number;
}
