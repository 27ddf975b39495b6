/**
 * Which certificates of a machine are alive, as the registry keeps it beside the machine: so that removing the machine
 * revokes each of them, and a machine that was away for long is told from one that comes back in time.
 */
import { registryKeys, type CommitRequest } from "../../api/messages.ts";
import { Refusal } from "../../api/problem.ts";
import { limits } from "../../model/limits.ts";

type Operation = CommitRequest["operations"][number];

/** What was issued, by its serial number. */
export interface Certificate {
  readonly serial: string;
  readonly notAfterMs: number;
}

export interface CertificateRecord {
  /** When the last one ends, or ended. */
  readonly lastEndsMs: number;
  readonly alive: readonly Certificate[];
  /** When the last ones were issued; absent in records of before. */
  readonly issuedMs?: number;
}

export const noCertificates: CertificateRecord = { lastEndsMs: 0, alive: [] };

/** The record with more certificates, and without those that have ended. */
export function withIssued(
  record: CertificateRecord,
  issued: readonly Certificate[],
  nowMs: number,
): CertificateRecord {
  const alive = [...record.alive, ...issued.map(({ serial, notAfterMs }) => ({ serial, notAfterMs }))].filter(
    (each) => each.notAfterMs >= nowMs,
  );
  if (alive.length > limits.certificatesPerNodeMax)
    throw new Refusal(
      429,
      `This machine holds ${record.alive.length} valid certificates: it renews far more often than it should`,
    );
  return {
    lastEndsMs: Math.max(record.lastEndsMs, ...alive.map((each) => each.notAfterMs)),
    alive,
    issuedMs: nowMs,
  };
}

export function keepRecord(node: string, record: CertificateRecord): Operation {
  return { do: "put", key: registryKeys.certificates + node, value: JSON.stringify(record) };
}

/** One key per certificate, so that whoever is shown one can look it up. */
export function revokeAll(node: string, record: CertificateRecord, nowMs: number): Operation[] {
  const revoked = record.alive.filter((each) => each.notAfterMs >= nowMs);
  return revoked.map(({ serial, notAfterMs }) => ({
    do: "put",
    key: registryKeys.revoked + serial,
    value: JSON.stringify({ node, notAfterMs } satisfies RevokedCertificate),
  }));
}

export interface RevokedCertificate {
  readonly node: string;
  /** From then on nobody accepts it anyway. */
  readonly notAfterMs: number;
}
