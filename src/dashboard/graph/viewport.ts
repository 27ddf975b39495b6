/** What of the graph is seen: moved by dragging, keys and fingers, zoomed by the wheel, keys and two fingers. */
import { useEffect, useRef, useState } from "preact/hooks";

export interface Viewport {
  /** Of the screen's upper left corner, in units of the graph, and pixels for a unit. */
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const [scaleMin, scaleMax, margin] = [0.05, 2, 24];

function fit(content: Size, screen: Size, scaleAtMost = 1): Viewport {
  const room = {
    width: Math.max(50, screen.width - 2 * margin),
    height: Math.max(50, screen.height - 2 * margin),
  };
  const scale = Math.min(
    scaleAtMost,
    Math.max(
      scaleMin,
      Math.min(room.width / Math.max(1, content.width), room.height / Math.max(1, content.height)),
    ),
  );
  return {
    scale,
    x: content.width / 2 - screen.width / 2 / scale,
    y: content.height / 2 - screen.height / 2 / scale,
  };
}

function zoomed(view: Viewport, factor: number, at: { readonly x: number; readonly y: number }): Viewport {
  const scale = Math.min(scaleMax, Math.max(scaleMin, view.scale * factor));
  return {
    scale,
    x: view.x + at.x / view.scale - at.x / scale,
    y: view.y + at.y / view.scale - at.y / scale,
  };
}

export interface Moving {
  readonly view: Viewport;
  readonly size: Size;
  readonly box: { readonly current: HTMLDivElement | null };
  readonly zoom: (factor: number) => void;
  readonly move: (x: number, y: number) => void;
  readonly fit: () => void;
  readonly handlers: {
    readonly onWheel: (event: WheelEvent) => void;
    readonly onPointerDown: (event: PointerEvent) => void;
    readonly onPointerMove: (event: PointerEvent) => void;
    readonly onPointerUp: (event: PointerEvent) => void;
    readonly onPointerCancel: (event: PointerEvent) => void;
  };
}

/** `shows`: what is in it; when that is another, all of it is shown. */
export function useViewport(content: Size, shows: string): Moving {
  const box = useRef<HTMLDivElement>(null);
  const pointers = useRef(new Map<number, PointerEvent>());
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  const [view, setView] = useState<Viewport>({ x: 0, y: 0, scale: 1 });
  useEffect(() => {
    const measure = (): void => {
      const { clientWidth: width = 0, clientHeight: height = 0 } = box.current ?? {};
      setSize((before) => (before.width === width && before.height === height ? before : { width, height }));
    };
    measure();
    const observer = new ResizeObserver(measure);
    if (box.current !== null) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const whole = (): void => setView(fit(content, size));
  useEffect(whole, [shows, size]);
  const placeOf = (event: MouseEvent): { x: number; y: number } => {
    const { left = 0, top = 0 } = box.current?.getBoundingClientRect() ?? {};
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const middle = { x: size.width / 2, y: size.height / 2 };
  const dragged = (event: PointerEvent): void => {
    const before = pointers.current.get(event.pointerId);
    if (before === undefined) return;
    const [other] = [...pointers.current.values()].filter(({ pointerId }) => pointerId !== event.pointerId);
    pointers.current.set(event.pointerId, event);
    if (other === undefined) {
      const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
      setView((was) => ({ ...was, x: was.x - dx / was.scale, y: was.y - dy / was.scale }));
      return;
    }
    const apart = (one: PointerEvent): number =>
      Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    setView((was) => zoomed(was, apart(event) / Math.max(1, apart(before)), placeOf(other)));
  };
  const released = (event: PointerEvent): void => void pointers.current.delete(event.pointerId);
  return {
    ...{ view, size, box, fit: whole },
    zoom: (factor) => setView((was) => zoomed(was, factor, middle)),
    move: (x, y) => setView((was) => ({ ...was, x: was.x + x / was.scale, y: was.y + y / was.scale })),
    handlers: {
      onWheel: (event) => {
        event.preventDefault();
        const at = placeOf(event);
        setView((was) => zoomed(was, Math.exp(-event.deltaY * 0.0015), at));
      },
      onPointerDown: (event) => void pointers.current.set(event.pointerId, event),
      onPointerMove: dragged,
      onPointerUp: released,
      onPointerCancel: released,
    },
  };
}
