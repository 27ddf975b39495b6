/** Where a machine listens: flags of `init` and `join`. */
import type { Command } from "commander";
import { ports } from "../model/ports.ts";
import { portFlag } from "./command.ts";

export interface PortFlags {
  readonly loopback: string;
  readonly inboundPort: number;
  readonly outboundPort: number;
  readonly adminPort: number;
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
    .option("--admin-port <port>", "admin pages, loopback only", portFlag("--admin-port"), ports.admin);
}
