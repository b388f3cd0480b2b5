import type { JSX } from "preact";
import { api } from "../data/api.ts";
import type { VideoSummary } from "../data/contract.ts";
import { bytes, clock, dayAndMinute } from "../data/format.ts";
import { linkTo } from "../route.ts";
import { Icon } from "../ui/icon.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { Empty } from "../ui/states.tsx";
import { useRemote } from "../ui/use-remote.ts";
import { VideoPlayer } from "./video-player.tsx";

interface VideosScreenProps {
  readonly id: string | null;
  readonly labels: readonly string[];
  readonly revision: number;
}

export function VideosScreen({ id, labels, revision }: VideosScreenProps): JSX.Element {
  const videos = useRemote(`videos ${revision}`, api.videos);
  const current = videos.value?.find((video) => video.id === id) ?? videos.value?.[0] ?? null;
  return (
    <div class="workspace is-two">
      <aside class="pane pane-list" aria-label="Videos">
        <h2 class="pane-title">Videos</h2>
        <Loaded remote={videos} failure="The list did not load" skeletonLines={4}>
          {(known) => (
            <ul class="video-list">
              {known.map((video) => (
                <VideoRow key={video.id} video={video} isCurrent={video === current} />
              ))}
            </ul>
          )}
        </Loaded>
      </aside>
      <section class="pane pane-video" aria-label="Player">
        {current && <VideoPlayer key={current.id} video={current} labels={labels} />}
        {videos.value?.length === 0 && (
          <Empty icon="video" title="No clips yet">
            <p>Drop an MP4 anywhere on this page.</p>
          </Empty>
        )}
      </section>
    </div>
  );
}

function VideoRow({
  video,
  isCurrent,
}: {
  readonly video: VideoSummary;
  readonly isCurrent: boolean;
}): JSX.Element {
  return (
    <li>
      <a
        class="video-row"
        href={linkTo("videos", video.id)}
        aria-current={isCurrent ? "true" : undefined}
      >
        <span class="video-icon">
          <Icon name="video" />
        </span>
        <span class="frame-text">
          <span class="frame-name">{video.name}</span>
          <span class="frame-meta">
            {video.camera} · {clock(video.durationSeconds)} · {bytes(video.sizeBytes)}
          </span>
          <span class="frame-meta">{dayAndMinute(video.recordedAt)}</span>
        </span>
      </a>
    </li>
  );
}
