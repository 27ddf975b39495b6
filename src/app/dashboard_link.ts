/** The link that lets one browser see the dashboard. */
import type { ControlClient } from "../api/control.ts";
import { dashboardPaths, type SessionAnswer } from "../api/dashboard_messages.ts";
import { socketAddress } from "../base/socket_address.ts";

export function linkOf({ host, port, code }: SessionAnswer): string {
  return `http://${socketAddress(host, port)}/#code=${code}`;
}

/** To the pages on the controller's machine. */
export async function dashboardSession(operator: ControlClient): Promise<SessionAnswer> {
  return (await operator.call("POST", dashboardPaths.sessions, {})).body as SessionAnswer;
}
