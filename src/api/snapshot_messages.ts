/** What a machine and the controller say to one another while it follows its snapshots. The paths are in `messages.ts`. */
import type { RateSlice } from "../model/rate_slice.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { SnapshotPatch } from "../model/snapshot_patch.ts";
import type { Address } from "../base/socket_address.ts";
import type { PolicySupport } from "../policy/support.ts";
import type { AskLine } from "./questions.ts";

export interface SubscribeRequest {
  /** Version that the proxy has; "" for none. */
  readonly version: string;
  /** Keys of the services that it uses. */
  readonly uses: readonly string[];
}

export interface UsesAnswer {
  /** Of the keys, those that no service has. One that appears later is in the snapshots of whoever asked last for it. */
  readonly missing: readonly string[];
}

export interface RatesAnswer {
  /** By service key; without those that share no rate. */
  readonly slices: Readonly<Record<string, RateSlice>>;
}

/** Where the control plane is, as preferred. */
export interface ControlPlace {
  readonly controllers: readonly Address[];
  readonly registries: readonly Address[];
}

export interface ControlPlaceAnswer extends ControlPlace {
  /** Whether each machine has said that it knows all these addresses. */
  readonly machines: readonly {
    readonly name: string;
    readonly connected: boolean;
    readonly knows: boolean;
  }[];
}

export type SnapshotLine =
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  /** What changed since the snapshot before on this stream; only where the request asked for it (`?patches`). */
  | ({ readonly kind: "patch" } & SnapshotPatch)
  /** The version sent with the request is still the one. */
  | { readonly kind: "current"; readonly version: string; readonly controllerMs: number }
  | { readonly kind: "heartbeat"; readonly controllerMs: number }
  /** This machine was removed. */
  | { readonly kind: "removed" }
  | AskLine
  /** At the beginning, and when it changes. */
  | ({ readonly kind: "control-plane" } & ControlPlace)
  /** Another machine keeps these traces: this one is to send on what it has of them. */
  | { readonly kind: "keep"; readonly traces: readonly string[] };

/** ack (no error) or nack: the proxy keeps the version it has and says why. Also sent when its certificates change. */
export interface SnapshotReply {
  readonly version: string;
  readonly error: string | null;
  readonly certificates: readonly CertificateStatus[];
  /** Where it finds the controller from now on; only to one that said where it is. */
  readonly controllers?: readonly Address[];
  /** What runs there, under the same condition. */
  readonly about?: ProxyAbout | undefined;
}

/** What a proxy says on the stream of its snapshots, where the controller takes lines. Kinds that it does not know it passes over. */
export type UpLine = { readonly kind: "reply" } & SnapshotReply;

/** What a proxy says of itself, for operators. */
export interface ProxyAbout {
  /** `0.1.0`, and the commit that it was made of. */
  readonly version: string;
  /** systemd units of its instances, by service key and the app's port. */
  readonly units: readonly { readonly service: string; readonly port: number; readonly unit: string }[];
  /** Which policies it can run. Absent: those of the first version. */
  readonly policies?: PolicySupport;
  /** What its operator should mend, in words. Absent: nothing. */
  readonly problems?: readonly string[];
}

export interface CertificateStatus {
  readonly id: string;
  readonly notAfterMs: number;
  readonly issuedMs: number;
}
