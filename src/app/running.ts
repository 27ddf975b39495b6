/** What starting a mode gives back. */
import type { Reported } from "../systemd/manager_reports.ts";
import type { Ceding } from "./upgrade/handover.ts";

export interface Running extends Reported {
  /** One line for people: what is served where. */
  readonly summary: string;
  /** Takes over what may change while it runs. Says what came of it, in words; never throws. Absent: nothing may. */
  reload?(): Promise<string>;
  /** For another process that takes over from this one. Absent: none may. */
  readonly ceding?: Ceding;
  /** Takes no new work, lets what is under way finish, ends it at the deadline. */
  close(deadlineMs: number): Promise<void>;
}
