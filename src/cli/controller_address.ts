/** Where the controller is, as the join line says it; and other addresses of the control plane. */
import type { Address } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import { ports } from "../model/ports.ts";
import { portFlag } from "./command.ts";

/** One or more, with commas between. */
export function controllerAddresses(text: string): readonly [Address, ...Address[]] {
  const [first = "", ...others] = text.split(",");
  return [controllerAddress(first), ...others.map(controllerAddress)];
}

function controllerAddress(text: string): Address {
  return serverAddress("controller", ports.controller, text);
}

/** For a flag that may be given several times. */
export function moreAddresses(mode: "controller" | "registry") {
  return (text: string, before: readonly Address[] | undefined): readonly Address[] => [
    ...(before ?? []),
    serverAddress(mode, ports[mode], text),
  ];
}

/** `10.0.0.1:7443`, `vm-1.example`, `[fd00::1]:7443`, or an IPv6 address alone. */
export function serverAddress(mode: string, standardPort: number, text: string): Address {
  const expected = "expected host:port, with brackets around an IPv6 address";
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::([^:]*))?$/.exec(text);
  const alone = found === null && /^[0-9a-fA-F.]*(?::[0-9a-fA-F.]*){2,}$/.test(text);
  const host = alone ? text : (found?.[1] ?? found?.[2] ?? "");
  if (host === "") throw new UserError(`Cannot use the ${mode} address "${text}": ${expected}`);
  const port = found?.[3];
  return { host, port: port === undefined ? standardPort : portFlag(`the ${mode}'s port`)(port) };
}
