/** The file system that test machines start from: a small Debian with systemd, made once for this host and kept. */
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { hasProgram, runProgram } from "./processes.ts";

const release = "bookworm";
const packages = [
  ...["systemd", "systemd-sysv", "dbus", "libpam-systemd", "iproute2", "nftables", "procps"],
  ...["systemd-resolved", "libnss-resolve", "ca-certificates", "curl", "python3", "nginx-light"],
  ...["openssh-server", "openssh-client", "firewalld", "ufw"],
];
/** What packages would have started at boot. */
const started = ["nginx", "ssh", "firewalld", "ufw"];
/** Counts up when what is in it changes. */
const edition = 5;
const makingMs = 600_000;

const cache = `${process.env["XDG_CACHE_HOME"] ?? `${homedir()}/.cache`}/heddle`;
const path = `${cache}/machine-${release}-${edition}`;

/** Why there is none and none can be made; null: there is one, or will be. */
export function rootMissing(): string | null {
  return existsSync(path) || hasProgram("debootstrap") ? null : "there is no debootstrap";
}

/** Its folder, which nobody writes to. */
export function machineRoot(): string {
  if (existsSync(path)) return path;
  mkdirSync(cache, { recursive: true });
  const half = `${path}.${process.pid}`;
  try {
    const include = `--include=${packages.join(",")}`;
    runProgram(["debootstrap", "--variant=minbase", include, release, half], { limitMs: makingMs });
    // A test starts it where it means to.
    for (const unit of started)
      rmSync(`${half}/etc/systemd/system/multi-user.target.wants/${unit}.service`, { force: true });
    mkdirSync(`${half}/etc/systemd/system-preset`, { recursive: true });
    writeFileSync(
      `${half}/etc/systemd/system-preset/10-tests.preset`,
      started.map((unit) => `disable ${unit}.service\n`).join(""),
    );
    // The test gives machines their network; networkd would wait for a configuration of its own, and what wants the network with it.
    for (const unit of ["systemd-networkd", "systemd-networkd-wait-online"])
      symlinkSync("/dev/null", `${half}/etc/systemd/system/${unit}.service`);
    // Each machine makes its own.
    writeFileSync(`${half}/etc/machine-id`, "uninitialized\n");
    rmSync(`${half}/var/cache/apt/archives`, { recursive: true, force: true });
    renameSync(half, path);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
  return path;
}

if (import.meta.main && rootMissing() === null) machineRoot();
