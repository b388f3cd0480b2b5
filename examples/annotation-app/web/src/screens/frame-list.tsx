import type { JSX } from "preact";
import { api } from "../data/api.ts";
import type { FrameSummary } from "../data/contract.ts";
import { counted, dayAndMinute } from "../data/format.ts";
import { linkTo } from "../route.ts";
import { Icon } from "../ui/icon.tsx";
import { VirtualList } from "../ui/virtual-list.tsx";

const ROW_HEIGHT = 72;

interface FrameListProps {
  readonly frames: readonly FrameSummary[];
  readonly currentId: string | null;
}

export function FrameList({ frames, currentId }: FrameListProps): JSX.Element {
  return (
    <VirtualList
      items={frames}
      rowHeight={ROW_HEIGHT}
      name="Frames"
      selectedIndex={frames.findIndex((frame) => frame.id === currentId)}
      row={(frame, index) => (
        <FrameRow
          key={frame.id}
          frame={frame}
          position={index + 1}
          total={frames.length}
          isCurrent={frame.id === currentId}
        />
      )}
    />
  );
}

interface FrameRowProps {
  readonly frame: FrameSummary;
  readonly position: number;
  readonly total: number;
  readonly isCurrent: boolean;
}

/** Only a part of the list exists; which part, a screen reader learns from position and total. */
function FrameRow({ frame, position, total, isCurrent }: FrameRowProps): JSX.Element {
  return (
    <div role="listitem" class="frame-item" aria-posinset={position} aria-setsize={total}>
      <a
        class="frame-row"
        href={linkTo("frames", frame.id)}
        aria-current={isCurrent ? "true" : undefined}
        data-testid="frame-row"
      >
        <img
          class="thumbnail"
          src={api.thumbnailUrl(frame.id)}
          alt=""
          width={80}
          height={56}
          loading="lazy"
          decoding="async"
          onError={hideBroken}
        />
        <span class="frame-text">
          <span class="frame-name" title={frame.name}>
            {frame.name}
          </span>
          <span class="frame-meta">{frame.camera}</span>
          <span class="frame-meta">{dayAndMinute(frame.capturedAt)}</span>
        </span>
        <FrameBadges frame={frame} />
      </a>
    </div>
  );
}

/** An empty tile instead of the browser's broken picture; the frame itself says what is wrong when it is opened. */
function hideBroken({ currentTarget }: { readonly currentTarget: HTMLImageElement }): void {
  currentTarget.classList.add("is-broken");
}

function FrameBadges({ frame }: { readonly frame: FrameSummary }): JSX.Element {
  const state = frame.isReviewed ? "Reviewed" : "Not reviewed";
  return (
    <span class="frame-badges">
      <span class={frame.isReviewed ? "tick is-on" : "tick"} title={state}>
        {frame.isReviewed && <Icon name="check" />}
        <span class="visually-hidden">{state}</span>
      </span>
      <span class="box-count" title={counted(frame.boxCount, "box", "boxes")}>
        {frame.boxCount}
        <span class="visually-hidden"> boxes</span>
      </span>
    </span>
  );
}
