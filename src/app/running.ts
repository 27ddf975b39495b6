/** What starting a mode gives back. */
import type { Reported } from "../systemd/manager_reports.ts";

export interface Running extends Reported {
  /** One line for people: what is served where. */
  readonly summary: string;
  /** Takes over what may change while it runs. Says what came of it, in words; never throws. Absent: nothing may. */
  reload?(): Promise<string>;
  /** Takes no new work, lets what is under way finish, ends it at the deadline. */
  close(deadlineMs: number): Promise<void>;
}
