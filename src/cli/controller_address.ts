/** Where the controller is, as the join line says it. */
import { UserError } from "../base/user_error.ts";
import { ports } from "../model/ports.ts";
import { portFlag } from "./command.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `10.0.0.1:7443`, `vm-1.example`, `[fd00::1]:7443`, or an IPv6 address alone. */
export function controllerAddress(text: string): Address {
  const expected = "expected host:port, with brackets around an IPv6 address";
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::([^:]*))?$/.exec(text);
  const alone = found === null && /^[0-9a-fA-F.]*(?::[0-9a-fA-F.]*){2,}$/.test(text);
  const host = alone ? text : (found?.[1] ?? found?.[2] ?? "");
  if (host === "") throw new UserError(`Cannot use the controller address "${text}": ${expected}`);
  const port = found?.[3];
  return { host, port: port === undefined ? ports.controller : portFlag("the controller's port")(port) };
}
