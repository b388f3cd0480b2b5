// A clip, played by ranges from the encrypted store, above the timeline of what the detector saw in it.
import type { JSX, RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { VideoEvent, VideoSummary } from "../data/contract.ts";
import { clock, dayAndTime, percent } from "../data/format.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { Empty } from "../ui/states.tsx";
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
  const events = useRemote(`events ${video.id}`, () => api.videoEvents(video.id));
  const seek = (seconds: number): void => {
    if (player.current) player.current.currentTime = seconds;
    setAt(seconds);
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
      <PlayerStage
        player={player}
        url={api.videoUrl(video.id)}
        onTime={setAt}
        onLength={setLength}
      />
      <Loaded remote={events} failure="The events did not load" skeletonLines={4}>
        {(known) => <Events events={known} labels={labels} length={length} at={at} onSeek={seek} />}
      </Loaded>
    </div>
  );
}

interface PlayerStageProps {
  readonly player: RefObject<HTMLVideoElement | null>;
  readonly url: string;
  readonly onTime: (seconds: number) => void;
  readonly onLength: (seconds: number) => void;
}

function PlayerStage({ player, url, onTime, onLength }: PlayerStageProps): JSX.Element {
  const [hasFailed, setFailed] = useState(false);
  useEffect(() => {
    const element = player.current;
    return () => {
      // A player that is only taken out of the page goes on loading until it is collected.
      element?.removeAttribute("src");
      element?.load();
    };
  }, []);
  const reload = (): void => {
    setFailed(false);
    player.current?.load();
  };
  return (
    <div class="player-stage">
      <video
        ref={player}
        src={url}
        controls
        preload="metadata"
        data-testid="video"
        onTimeUpdate={(event) => onTime(event.currentTarget.currentTime)}
        onDurationChange={(event) => {
          const { duration } = event.currentTarget;
          if (Number.isFinite(duration) && duration > 0) onLength(duration);
        }}
        onError={() => setFailed(true)}
      />
      {hasFailed && (
        <div class="overlay">
          <div class="state is-failed" role="alert">
            <span class="state-icon">
              <Icon name="shield" />
            </span>
            <p class="state-title">The clip does not play</p>
            <p class="state-text">
              It is missing, its stored bytes fail authentication, or the browser lacks its codec.
            </p>
            <Button icon="refresh" onClick={reload}>
              Try again
            </Button>
          </div>
        </div>
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

function Events(props: EventsProps): JSX.Element {
  const { events, labels, at, onSeek } = props;
  if (events.length === 0) {
    return <Empty icon="activity" title="The detector saw nothing in this clip" />;
  }
  return (
    <>
      <EventTimeline {...props} />
      <ul class="event-list" aria-label="Events">
        {events.map((event) => (
          <EventRow
            key={event.id}
            event={event}
            hue={labels.indexOf(event.label)}
            isNow={at >= event.startSeconds && at <= event.endSeconds}
            onSeek={onSeek}
          />
        ))}
      </ul>
    </>
  );
}

interface EventRowProps {
  readonly event: VideoEvent;
  readonly hue: number;
  readonly isNow: boolean;
  readonly onSeek: (seconds: number) => void;
}

function EventRow({ event, hue, isNow, onSeek }: EventRowProps): JSX.Element {
  return (
    <li>
      <button
        type="button"
        class="event-row"
        data-hue={hue}
        data-testid="event"
        aria-pressed={isNow}
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
  );
}
