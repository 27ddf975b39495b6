/** How much a request matters when not all can be served. What comes first here is served first. */

export const priorities = ["critical", "default", "sheddable", "background"] as const;

export type Priority = (typeof priorities)[number];

/** 0 for what matters most. */
export type PriorityLevel = 0 | 1 | 2 | 3;

export function priorityLevel(priority: Priority): PriorityLevel {
  return priorities.indexOf(priority) as PriorityLevel;
}

/** Of requests of which nobody says anything. */
export const usualLevel: PriorityLevel = 1;

/** As another proxy names it; what it says and nobody knows is as if it said nothing. */
export function levelNamed(name: string | null): PriorityLevel {
  const level = name === null ? -1 : (priorities as readonly string[]).indexOf(name);
  return level < 0 ? usualLevel : (level as PriorityLevel);
}
