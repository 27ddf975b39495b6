/** What the data plane needs of identity; the app layer keeps it current. */
import type { TlsCredential } from "../../../runtime/contract.ts";
import type { Trust } from "../../identity/verify_peer.ts";

export interface Credentials {
  /** Of a local service, by its key; null when there is none (yet) or it has ended. */
  of(serviceKey: string): TlsCredential | null;
  /** What is trusted now. */
  trust(): Trust;
}
