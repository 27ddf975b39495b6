/** The dashboard's data, for operators, and their way into its pages. Nothing here changes anything. */
import type { Hono } from "hono";
import type { Caller } from "../../api/control.ts";
import type { ControlEnv } from "../../api/caller.ts";
import { dashboardPaths, type SessionAnswer } from "../../api/dashboard_messages.ts";
import { Refusal } from "../../api/problem.ts";
import type { Operators } from "../operators.ts";
import { machinesView } from "./machines_view.ts";
import { meshView } from "./mesh_view.ts";
import { serviceView } from "./service_view.ts";
import type { ViewInput } from "./view_input.ts";

export interface DashboardRouteOptions {
  readonly operators: Operators;
  readonly requireReady: () => void;
  /** As things stand. */
  readonly input: () => ViewInput;
  /** Lets a browser in that acts as this caller; throws a Refusal. */
  readonly admit: (caller: Caller) => SessionAnswer;
}

export function mountDashboardRoutes(app: Hono<ControlEnv>, options: DashboardRouteOptions): void {
  const { operators, requireReady, input, admit } = options;
  app.post(dashboardPaths.sessions, (context) => {
    operators.require(context, "viewer");
    return context.json(admit(context.env.caller));
  });
  app.get(dashboardPaths.mesh, (context) => {
    operators.require(context, "viewer");
    requireReady();
    return context.json(meshView(input()));
  });
  app.get(dashboardPaths.service, (context) => {
    operators.require(context, "viewer");
    requireReady();
    const key = context.req.param("key");
    const view = serviceView(input(), key);
    if (view === null) throw new Refusal(404, `There is no service ${key}`);
    return context.json(view);
  });
  app.get(dashboardPaths.machines, (context) => {
    operators.require(context, "viewer");
    requireReady();
    return context.json(machinesView(input()));
  });
}
