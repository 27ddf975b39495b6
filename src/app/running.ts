/** What starting a mode gives back. */
export interface Running {
  /** One line for people: what is served where. */
  readonly summary: string;
  /** Takes no new work, lets what is under way finish, ends it at the deadline. */
  close(deadlineMs: number): Promise<void>;
}
