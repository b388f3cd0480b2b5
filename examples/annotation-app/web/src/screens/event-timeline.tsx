// One lane per label, time from left to right. A click anywhere seeks; the bar is a slider for the keyboard.
import type { JSX } from "preact";
import type { VideoEvent } from "../data/contract.ts";
import { clock } from "../data/format.ts";

interface EventTimelineProps {
  readonly events: readonly VideoEvent[];
  readonly labels: readonly string[];
  readonly length: number;
  readonly at: number;
  readonly onSeek: (seconds: number) => void;
}

const KEY_STEP_SECONDS: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowRight: 1,
  PageDown: -10,
  PageUp: 10,
};

export function EventTimeline({
  events,
  labels,
  length,
  at,
  onSeek,
}: EventTimelineProps): JSX.Element {
  const lanes = labels.filter((label) => events.some((event) => event.label === label));
  const share = (seconds: number): string =>
    `${Math.min(100, (seconds / Math.max(length, 0.001)) * 100)}%`;
  const onPointer = (event: PointerEvent & { currentTarget: HTMLElement }): void => {
    const track = event.currentTarget.getBoundingClientRect();
    onSeek(Math.max(0, Math.min(length, ((event.clientX - track.left) / track.width) * length)));
  };
  const onKey = (event: KeyboardEvent): void => {
    const step = KEY_STEP_SECONDS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    onSeek(Math.max(0, Math.min(length, at + step)));
  };
  return (
    <div class="timeline">
      <div class="timeline-labels">
        {lanes.map((label) => (
          <span key={label}>{label}</span>
        ))}
      </div>
      <div
        class="timeline-track"
        role="slider"
        tabIndex={0}
        aria-label="Position in the clip"
        aria-valuemin={0}
        aria-valuemax={Math.round(length)}
        aria-valuenow={Math.round(at)}
        aria-valuetext={clock(at)}
        data-testid="timeline"
        onPointerDown={onPointer}
        onKeyDown={onKey}
      >
        {lanes.map((label) => (
          <div key={label} class="timeline-lane" data-hue={labels.indexOf(label)}>
            {events
              .filter((event) => event.label === label)
              .map((event) => (
                <span
                  key={event.id}
                  class={`timeline-event is-${event.severity}`}
                  title={`${event.label}, ${event.severity}, ${clock(event.startSeconds)} – ${clock(event.endSeconds)}`}
                  style={{
                    left: share(event.startSeconds),
                    width: share(event.endSeconds - event.startSeconds),
                  }}
                />
              ))}
          </div>
        ))}
        <div class="timeline-scale" aria-hidden="true">
          {[0, 0.25, 0.5, 0.75, 1].map((part) => (
            <span key={part}>{clock(length * part)}</span>
          ))}
        </div>
        <span class="playhead" style={{ left: share(at) }} />
      </div>
    </div>
  );
}
