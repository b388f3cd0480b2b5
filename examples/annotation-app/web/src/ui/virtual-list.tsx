// A list of thousands that holds some dozen elements: rows of one height, placed by a spacer above them.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

interface VirtualListProps<T> {
  readonly items: readonly T[];
  readonly rowHeight: number;
  readonly name: string;
  /** Kept in sight when it changes. */
  readonly selectedIndex: number;
  readonly row: (item: T, index: number) => ComponentChildren;
}

const OVERSCAN = 4;

export function VirtualList<T>({
  items,
  rowHeight,
  name,
  selectedIndex,
  row,
}: VirtualListProps<T>): JSX.Element {
  const ref = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 0 });
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = (): void => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  useLayoutEffect(() => {
    if (ref.current && selectedIndex >= 0)
      keepInSight(ref.current, selectedIndex * rowHeight, rowHeight);
  }, [selectedIndex, rowHeight, view.height > 0]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - OVERSCAN);
  const last = Math.min(items.length, Math.ceil((view.top + view.height) / rowHeight) + OVERSCAN);
  return (
    <div ref={ref} class="virtual-list" role="list" aria-label={name} tabIndex={-1}>
      <div class="virtual-space" style={{ height: `${items.length * rowHeight}px` }}>
        <div class="virtual-window" style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {items.slice(first, last).map((item, index) => row(item, first + index))}
        </div>
      </div>
    </div>
  );
}

function keepInSight(element: HTMLElement, top: number, height: number): void {
  const bottom = top + height;
  if (top < element.scrollTop) element.scrollTop = top - height;
  else if (bottom > element.scrollTop + element.clientHeight) {
    element.scrollTop = bottom + height - element.clientHeight;
  }
}
