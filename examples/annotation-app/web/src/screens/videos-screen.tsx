import type { JSX } from "preact";
import { api } from "../data/api.ts";
import type { VideoSummary } from "../data/contract.ts";
import { bytes, clock, dayAndTime } from "../data/format.ts";
import { linkTo } from "../route.ts";
import { Icon } from "../ui/icon.tsx";
import { Empty, Failed, Skeleton } from "../ui/states.tsx";
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
        {videos.error && (
          <Failed title="The list did not load" error={videos.error} onRetry={videos.reload} />
        )}
        {videos.isLoading && !videos.value && <Skeleton lines={4} />}
        <ul class="video-list">
          {videos.value?.map((video) => (
            <VideoRow key={video.id} video={video} isCurrent={video === current} />
          ))}
        </ul>
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
            {video.camera} · {dayAndTime(video.recordedAt)}
          </span>
          <span class="frame-meta">
            {clock(video.durationSeconds)} · {bytes(video.sizeBytes)}
          </span>
        </span>
      </a>
    </li>
  );
}
