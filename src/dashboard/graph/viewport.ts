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

/** Cards can be read from this scale on. */
export const cardScale = 0.62;
const [scaleMin, scaleMax, margin] = [0.02, 2, 24];
/** From afar a name stands to the right of its spot. */
const nameWidth = 64;

function fit(content: Size, screen: Size): Viewport {
  const scaleIn = (width: number): number =>
    Math.min(
      (width - 2 * margin) / Math.max(1, content.width),
      (screen.height - 2 * margin) / Math.max(1, content.height),
    );
  const beside = scaleIn(screen.width) < cardScale ? nameWidth : 0;
  const scale = Math.min(1, Math.max(scaleMin, scaleIn(screen.width - beside)));
  return {
    scale,
    x: content.width / 2 - (screen.width - beside) / 2 / scale,
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
  /** What ends now was no click: it moved the graph. */
  readonly isPulled: () => boolean;
  readonly handlers: {
    readonly onWheel: (event: WheelEvent) => void;
    readonly onPointerDown: (event: PointerEvent) => void;
    readonly onPointerMove: (event: PointerEvent) => void;
    readonly onPointerUp: (event: PointerEvent) => void;
    readonly onPointerCancel: (event: PointerEvent) => void;
    readonly onPointerLeave: (event: PointerEvent) => void;
  };
}

/** `shows`: what is in it; when that is another, or the screen has another size, all of it is shown until somebody moves it. */
export function useViewport(content: Size, shows: string): Moving {
  const box = useRef<HTMLDivElement>(null);
  const pointers = useRef(new Map<number, PointerEvent>());
  const pulled = useRef(0);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  const [moved, setMoved] = useState<{ readonly of: string; readonly view: Viewport } | null>(null);
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
  const of = `${size.width} ${size.height} ${shows}`;
  const viewIn = (was: typeof moved): Viewport => (was?.of === of ? was.view : fit(content, size));
  const change = (to: (view: Viewport) => Viewport): void =>
    setMoved((was) => ({ of, view: to(viewIn(was)) }));
  const middle = { x: size.width / 2, y: size.height / 2 };
  return {
    ...{ view: viewIn(moved), size, box },
    fit: () => setMoved(null),
    zoom: (factor) => change((view) => zoomed(view, factor, middle)),
    move: (x, y) => change((view) => ({ ...view, x: view.x + x / view.scale, y: view.y + y / view.scale })),
    isPulled: () => pulled.current > pulledPixels,
    handlers: handlersOf({ box, pulled, pointers: pointers.current }, change),
  };
}

/** A finger or a mouse that moves less far than this means what it is on. */
const pulledPixels = 5;

interface Pointing {
  readonly box: Moving["box"];
  readonly pointers: Map<number, PointerEvent>;
  /** Pixels that the last one moved while it was down. */
  readonly pulled: { current: number };
}

function handlersOf(
  { box, pointers, pulled }: Pointing,
  change: (to: (view: Viewport) => Viewport) => void,
): Moving["handlers"] {
  const placeOf = (event: MouseEvent): { x: number; y: number } => {
    const { left = 0, top = 0 } = box.current?.getBoundingClientRect() ?? {};
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const dragged = (event: PointerEvent): void => {
    const before = pointers.get(event.pointerId);
    if (before === undefined) return;
    const other = [...pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    pointers.set(event.pointerId, event);
    if (other === undefined) {
      const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
      pulled.current += Math.hypot(dx, dy);
      return change((view) => ({ ...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale }));
    }
    const apart = (one: PointerEvent): number =>
      Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    change((view) => zoomed(view, apart(event) / Math.max(1, apart(before)), placeOf(other)));
  };
  const released = (event: PointerEvent): void => void pointers.delete(event.pointerId);
  return {
    onWheel: (event) => {
      event.preventDefault();
      const at = placeOf(event);
      change((view) => zoomed(view, Math.exp(-event.deltaY * 0.0015), at));
    },
    onPointerDown: (event) => {
      pulled.current = 0;
      pointers.set(event.pointerId, event);
    },
    onPointerMove: dragged,
    onPointerUp: released,
    onPointerCancel: released,
    onPointerLeave: released,
  };
}
