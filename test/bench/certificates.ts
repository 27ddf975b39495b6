/** Certificates of the peers: one root, a leaf for each end of a pair, P-256 as heddle's own. */
import { writeFileSync } from "node:fs";
import { makeTestAuthority, type TestAuthority } from "../support/certificates.ts";
import type { CertificateFiles, PeerCertificates } from "./peers/peer.ts";

async function leaf(authority: TestAuthority, folder: string, name: string): Promise<CertificateFiles> {
  const { chainPem, keyPem } = await authority.issue({ dns: [name] });
  const files = {
    name,
    chain: `${folder}/${name}.crt`,
    key: `${folder}/${name}.key`,
    both: `${folder}/${name}.pem`,
  };
  writeFileSync(files.chain, chainPem);
  writeFileSync(files.key, keyPem);
  writeFileSync(files.both, `${chainPem}${keyPem}`);
  return files;
}

export async function writeCertificates(folder: string): Promise<PeerCertificates> {
  const authority = await makeTestAuthority();
  const root = `${folder}/root.crt`;
  writeFileSync(root, authority.rootPem);
  return {
    root,
    client: await leaf(authority, folder, "caller.bench.test"),
    server: await leaf(authority, folder, "web.bench.test"),
  };
}
