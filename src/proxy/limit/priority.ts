/** How much a request matters when not all can be served. What comes first here is served first. */

export const priorities = ["critical", "default", "sheddable", "background"] as const;

export type Priority = (typeof priorities)[number];

/** 0 for what matters most. */
export type PriorityLevel = 0 | 1 | 2 | 3;

export function priorityLevel(priority: Priority): PriorityLevel {
  return priorities.indexOf(priority) as PriorityLevel;
}
