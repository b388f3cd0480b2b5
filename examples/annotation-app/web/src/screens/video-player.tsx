// A clip, played by ranges from the encrypted store, above the timeline of what the detector saw in it.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { VideoEvent, VideoSummary } from "../data/contract.ts";
import { clock, dayAndTime, percent } from "../data/format.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Empty, Failed, Skeleton } from "../ui/states.tsx";
import { useRemote } from "../ui/use-remote.ts";
import { EventTimeline } from "./event-timeline.tsx";

interface VideoPlayerProps {
  readonly video: VideoSummary;
  readonly labels: readonly string[];
}

export function VideoPlayer({ video, labels }: VideoPlayerProps): JSX.Element {
  const player = useRef<HTMLVideoElement>(null);
  const [at, setAt] = useState(0);
  const [length, setLength] = useState(video.durationSeconds);
  const [hasFailed, setFailed] = useState(false);
  const events = useRemote(`events ${video.id}`, () => api.videoEvents(video.id));
  const seek = (seconds: number): void => {
    if (player.current) player.current.currentTime = seconds;
    setAt(seconds);
  };
  const reload = (): void => {
    setFailed(false);
    player.current?.load();
  };
  return (
    <div class="player">
      <header class="player-header">
        <h2>{video.name}</h2>
        <p class="hint">
          {video.camera} · {dayAndTime(video.recordedAt)} · <Icon name="lock" /> each range is
          decrypted on its way, no file is written
        </p>
      </header>
      <div class="player-stage">
        <video
          ref={player}
          src={api.videoUrl(video.id)}
          controls
          preload="metadata"
          data-testid="video"
          onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)}
          onDurationChange={(event) => {
            const { duration } = event.currentTarget;
            if (Number.isFinite(duration) && duration > 0) setLength(duration);
          }}
          onError={() => setFailed(true)}
        />
        {hasFailed && (
          <div class="overlay" role="alert">
            <Icon name="alert" />
            <p class="state-title">The clip does not play</p>
            <p>
              It is missing, its stored bytes fail authentication, or the browser lacks its codec.
            </p>
            <Button onClick={reload}>Try again</Button>
          </div>
        )}
      </div>
      {events.error && (
        <Failed title="The events did not load" error={events.error} onRetry={events.reload} />
      )}
      {events.isLoading && !events.value && <Skeleton lines={4} />}
      {events.value && (
        <Events events={events.value} labels={labels} length={length} at={at} onSeek={seek} />
      )}
    </div>
  );
}

interface EventsProps {
  readonly events: readonly VideoEvent[];
  readonly labels: readonly string[];
  readonly length: number;
  readonly at: number;
  readonly onSeek: (seconds: number) => void;
}

function Events({ events, labels, length, at, onSeek }: EventsProps): JSX.Element {
  if (events.length === 0)
    return <Empty icon="activity" title="The detector saw nothing in this clip" />;
  return (
    <>
      <EventTimeline events={events} labels={labels} length={length} at={at} onSeek={onSeek} />
      <ul class="event-list" aria-label="Events">
        {events.map((event) => (
          <li key={event.id}>
            <button
              type="button"
              class="event-row"
              data-hue={labels.indexOf(event.label)}
              data-testid="event"
              aria-pressed={at >= event.startSeconds && at <= event.endSeconds}
              onClick={() => onSeek(event.startSeconds)}
            >
              <span class="hue-dot" />
              <span class="event-time">
                {clock(event.startSeconds)} – {clock(event.endSeconds)}
              </span>
              <span class="event-label">{event.label}</span>
              <span class="event-score">{percent(event.score)}</span>
              <span class={`severity is-${event.severity}`}>{event.severity}</span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
