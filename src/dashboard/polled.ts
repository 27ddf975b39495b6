/** What the controller tells, asked again and again while somebody looks: a tab in the background asks nothing. */
import { useEffect, useState } from "preact/hooks";
import { AskingFailed, read } from "./session.ts";

export interface Polled<Answer> {
  /** The last one that came; null: none yet. */
  readonly answer: Answer | null;
  /** Why the newest one is missing; null: it is there. */
  readonly problem: AskingFailed | null;
}

const everyMs = 5_000;

export function usePolled<Answer>(path: string): Polled<Answer> {
  const [polled, setPolled] = useState<Polled<Answer> & { path: string }>({
    path,
    answer: null,
    problem: null,
  });
  useEffect(() => {
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      clearTimeout(timer);
      try {
        const answer = await read<Answer>(path, leaving.signal);
        setPolled({ path, answer, problem: null });
      } catch (error) {
        if (leaving.signal.aborted) return;
        const problem = error instanceof AskingFailed ? error : new AskingFailed(String(error), 0, "");
        setPolled((before) => ({ path, answer: before.path === path ? before.answer : null, problem }));
      }
      if (!document.hidden) timer = setTimeout(() => void look(), everyMs);
    };
    const shown = (): void => {
      if (!document.hidden) void look();
    };
    document.addEventListener("visibilitychange", shown);
    void look();
    return () => {
      leaving.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [path]);
  return polled.path === path ? polled : { answer: null, problem: null };
}
