/** Where a machine listens: flags of `init` and `join`. */
import type { Command } from "commander";
import { ports } from "../model/ports.ts";
import { portFlag } from "./command.ts";

export interface PortFlags {
  readonly loopback: string;
  readonly inboundPort: number;
  readonly outboundPort: number;
  readonly adminPort: number;
  readonly dnsPort: number;
}

function dnsPortFlag(text: string): number {
  return text === "0" ? 0 : portFlag("--dns-port")(text);
}

export function withPortFlags(command: Command): Command {
  return command
    .option("--loopback <address>", "address of the local listeners", "127.0.0.1")
    .option("--inbound-port <port>", "mTLS from other machines", portFlag("--inbound-port"), ports.inbound)
    .option(
      "--outbound-port <port>",
      "first HTTP outbound listener",
      portFlag("--outbound-port"),
      ports.outboundFirst,
    )
    .option(
      "--dns-port <port>",
      "DNS of *.mesh, loopback only; 0: none, and no virtual addresses",
      dnsPortFlag,
      ports.dns,
    )
    .option("--admin-port <port>", "admin pages, loopback only", portFlag("--admin-port"), ports.admin);
}
