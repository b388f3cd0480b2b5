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

export function EventTimeline(props: EventTimelineProps): JSX.Element {
  const { events, labels, length, at } = props;
  const lanes = labels.filter((label) => events.some((event) => event.label === label));
  return (
    <div class="timeline">
      <div class="timeline-labels">
        {lanes.map((label) => (
          <span key={label}>{label}</span>
        ))}
      </div>
      <Track {...props}>
        {lanes.map((label) => (
          <Lane
            key={label}
            events={events.filter((event) => event.label === label)}
            hue={labels.indexOf(label)}
            length={length}
          />
        ))}
        <div class="timeline-scale" aria-hidden="true">
          {[0, 0.25, 0.5, 0.75, 1].map((part) => (
            <span key={part}>{clock(length * part)}</span>
          ))}
        </div>
        <span class="playhead" style={{ left: share(at, length) }} />
      </Track>
    </div>
  );
}

interface TrackProps {
  readonly length: number;
  readonly at: number;
  readonly onSeek: (seconds: number) => void;
  readonly children: readonly (JSX.Element | readonly JSX.Element[])[];
}

function Track({ length, at, onSeek, children }: TrackProps): JSX.Element {
  const seek = (seconds: number): void => onSeek(Math.max(0, Math.min(length, seconds)));
  const onPointer = (event: PointerEvent & { readonly currentTarget: HTMLElement }): void => {
    const track = event.currentTarget.getBoundingClientRect();
    seek(((event.clientX - track.left) / track.width) * length);
  };
  const onDown = (event: PointerEvent & { readonly currentTarget: HTMLElement }): void => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    onPointer(event);
  };
  const onMove = (event: PointerEvent & { readonly currentTarget: HTMLElement }): void => {
    if (event.currentTarget.hasPointerCapture(event.pointerId)) onPointer(event);
  };
  const onKey = (event: KeyboardEvent): void => {
    const step = KEY_STEP_SECONDS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    seek(at + step);
  };
  return (
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
      onPointerDown={onDown}
      onPointerMove={onMove}
      onKeyDown={onKey}
    >
      {children}
    </div>
  );
}

interface LaneProps {
  readonly events: readonly VideoEvent[];
  readonly hue: number;
  readonly length: number;
}

function Lane({ events, hue, length }: LaneProps): JSX.Element {
  return (
    <div class="timeline-lane" data-hue={hue}>
      {events.map(({ id, label, severity, startSeconds, endSeconds }) => (
        <span
          key={id}
          class={`timeline-event is-${severity}`}
          title={`${label}, ${severity}, ${clock(startSeconds)} – ${clock(endSeconds)}`}
          style={{
            left: share(startSeconds, length),
            width: share(endSeconds - startSeconds, length),
          }}
        />
      ))}
    </div>
  );
}

function share(seconds: number, length: number): string {
  return `${Math.min(100, (seconds / Math.max(length, 0.001)) * 100)}%`;
}
