/**
 * Where an etcd cluster is, as `etcd://10.0.0.5:2379,10.0.0.6:2379/corp?ca=FILE&cert=FILE&key=FILE` says it: its members, the
 * prefix of everything that this mesh keeps there, and the files of TLS. Without `ca` it is reached in clear text.
 */
import type { Address } from "../../base/socket_address.ts";
import { UserError } from "../../base/user_error.ts";

export interface EtcdAddress {
  readonly members: readonly [Address, ...Address[]];
  /** Without slashes at its ends. */
  readonly prefix: string;
  /** null: clear text, on loopback alone. */
  readonly tls: EtcdFiles | null;
}

export interface EtcdFiles {
  /** Path of the roots that the members' certificates lead to, PEM. */
  readonly ca: string;
  /** Paths of what is shown to them; null: nothing is. */
  readonly own: { readonly cert: string; readonly key: string } | null;
}

const scheme = "etcd://";
const defaultPort = 2379;
const expected = "expected etcd://HOST:PORT,HOST:PORT/PREFIX?ca=FILE&cert=FILE&key=FILE";

export function isEtcdAddress(text: string): boolean {
  return text.startsWith(scheme);
}

/** Throws a `UserError` that names what is wrong of it. */
export function parseEtcdAddress(text: string): EtcdAddress {
  if (!isEtcdAddress(text)) throw wrong(text, expected);
  const [place = "", query = ""] = text.slice(scheme.length).split("?");
  const slash = place.indexOf("/");
  const hosts = slash < 0 ? place : place.slice(0, slash);
  const prefix = (slash < 0 ? "" : place.slice(slash)).replace(/^\/+|\/+$/g, "") || "heddle";
  if (!/^[\w./-]{1,128}$/.test(prefix))
    throw wrong(
      text,
      `its prefix is "${prefix}"; expected at most 128 letters, digits, '.', '/', '_' and '-'`,
    );
  const [first, ...others] = hosts.split(",").map((each) => memberOf(text, each));
  if (first === undefined) throw wrong(text, expected);
  const members = [first, ...others] as const;
  const tls = filesOf(text, new URLSearchParams(query));
  const far = members.find(({ host }) => tls === null && !isLoopback(host));
  if (far !== undefined)
    throw wrong(
      text,
      `${far.host} is not on loopback, and without ca=FILE the way there would be in clear text`,
    );
  return { members, prefix, tls };
}

function memberOf(text: string, member: string): Address {
  const parts = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(member);
  const port = Number(parts?.[3] ?? defaultPort);
  const host = parts?.[1] ?? parts?.[2];
  if (host === undefined || port < 1 || port > 65_535)
    throw wrong(text, `"${member}" is no member; expected HOST or HOST:PORT`);
  return { host, port };
}

function filesOf(text: string, query: URLSearchParams): EtcdFiles | null {
  const unknown = [...query.keys()].find((name) => !["ca", "cert", "key"].includes(name));
  if (unknown !== undefined) throw wrong(text, `it has "${unknown}"; expected ca, cert and key alone`);
  const [ca, cert, key] = ["ca", "cert", "key"].map((name) => query.get(name) || null);
  if ((cert == null) !== (key == null))
    throw wrong(text, "expected cert and key together, found one of them");
  if (ca == null && cert != null) throw wrong(text, "it has cert and key, and no ca to know the members by");
  if (ca == null) return null;
  return { ca, own: cert == null || key == null ? null : { cert, key } };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function wrong(text: string, why: string): UserError {
  return new UserError(`Cannot use the store "${text}": ${why}`);
}
