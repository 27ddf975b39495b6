/**
 * Ports that enabled units of this machine want on all addresses, whether they run or not: those of socket units, and those that
 * well-known servers have as they are packaged. Read again only when what is enabled has changed.
 */
import type { Files } from "../../runtime/contract.ts";

/** What is started with the machine, as links; and sockets. */
const enabled = ["multi-user", "default", "graphical", "sockets"].map(
  (target) => `/etc/systemd/system/${target}.target.wants`,
);

/** As Debian, Fedora or their makers package them. */
const packaged: ReadonlyMap<string, readonly number[]> = new Map([
  ["nginx.service", [80]],
  ["apache2.service", [80]],
  ["httpd.service", [80]],
  ["lighttpd.service", [80]],
  ["caddy.service", [80, 443]],
  ["tomcat9.service", [8080]],
  ["tomcat10.service", [8080]],
  ["jenkins.service", [8080]],
  ["squid.service", [3128]],
  ["postfix.service", [25]],
]);

export class UnitPorts {
  #seen = "";
  #ports: ReadonlyMap<number, string> = new Map();

  constructor(readonly files: Pick<Files, "stat" | "list" | "read" | "watch">) {}

  /** Hears of what is enabled from now on at once: who starts it then is to have its port. */
  async watch(changed: () => void): Promise<{ close(): void }> {
    const watches: { close(): void }[] = [];
    for (const path of enabled) {
      try {
        if ((await this.files.stat(path)) !== null) watches.push(this.files.watch(path, changed));
      } catch {
        // It is looked at now and then all the same.
      }
    }
    return { close: () => watches.forEach((each) => each.close()) };
  }

  /** By port, the name of the unit. Nothing where no systemd runs the machine. */
  async look(): Promise<ReadonlyMap<number, string>> {
    const { files } = this;
    if ((await files.stat("/run/systemd/system")) === null) return new Map();
    const stats = await Promise.all(enabled.map((path) => files.stat(path)));
    const seen = stats.map((stat) => stat?.modifiedMs ?? 0).join();
    if (seen === this.#seen) return this.#ports;
    const ports = new Map<number, string>();
    for (const path of enabled)
      for (const unit of await files.list(path))
        for (const port of await this.#portsOf(unit, `${path}/${unit}`)) ports.set(port, unit);
    this.#seen = seen;
    this.#ports = ports;
    return ports;
  }

  /** A link that leads nowhere, or that we may not follow, says nothing. */
  async #portsOf(unit: string, path: string): Promise<readonly number[]> {
    if (!unit.endsWith(".socket")) return packaged.get(unit) ?? [];
    const bytes = await this.files.read(path).catch(() => null);
    if (bytes === null) return [];
    const lines = new TextDecoder().decode(bytes).matchAll(listenStream);
    return [...lines].map(([, port]) => Number(port));
  }
}

/** A port alone, or of every address (systemd.socket(5)). */
const listenStream = /^\s*ListenStream\s*=\s*(?:0\.0\.0\.0:|\[::\]:)?(\d{1,5})\s*$/gm;
