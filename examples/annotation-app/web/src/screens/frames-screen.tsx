// The annotation screen: frames on the left, canvas in the middle, what is selected on the right.
import type { JSX } from "preact";
import { useCallback, useState } from "preact/hooks";
import { api, type FrameFilter } from "../data/api.ts";
import type { Catalogue, FrameList as Frames, FrameSummary } from "../data/contract.ts";
import { counted } from "../data/format.ts";
import { replaceRoute } from "../route.ts";
import { Button } from "../ui/button.tsx";
import { Empty, Failed, Skeleton } from "../ui/states.tsx";
import { type Remote, useRemote } from "../ui/use-remote.ts";
import { FrameFilterBar, NO_FILTER, SearchNote } from "./frame-filter.tsx";
import { FrameList } from "./frame-list.tsx";
import { FrameWorkspace } from "./frame-workspace.tsx";

interface FramesScreenProps {
  readonly id: string | null;
  readonly catalogue: Catalogue;
  readonly canEdit: boolean;
  /** Counts uploads and imports; another number loads the list anew. */
  readonly revision: number;
  readonly onBrowse: () => void;
}

export function FramesScreen({
  id,
  catalogue,
  canEdit,
  revision,
  onBrowse,
}: FramesScreenProps): JSX.Element {
  const [filter, setFilter] = useState<FrameFilter>(NO_FILTER);
  const list = useRemote(JSON.stringify([filter, revision]), () => api.frames(filter));
  const frames = list.value?.frames ?? [];
  const currentId = id ?? frames[0]?.id ?? null;
  const patch = useCallback(
    (frameId: string, fields: Partial<FrameSummary>) => {
      if (list.value) list.replace(patchList(list.value, frameId, fields));
    },
    [list.value],
  );
  return (
    <div class="workspace">
      <aside class="pane pane-list" data-pane aria-label="Frames">
        <FrameFilterBar filter={filter} catalogue={catalogue} onChange={setFilter} />
        {list.value?.search && <SearchNote search={list.value.search} label={filter.label} />}
        <ListSummary list={list} />
        <ListBody
          list={list}
          currentId={currentId}
          hasFilter={filter !== NO_FILTER}
          onClear={() => setFilter(NO_FILTER)}
        />
      </aside>
      {currentId === null ? (
        <NoFrame isLoading={list.isLoading} canEdit={canEdit} onBrowse={onBrowse} />
      ) : (
        <FrameWorkspace
          id={currentId}
          frames={frames}
          labels={catalogue.labels}
          canEdit={canEdit}
          onOpen={(next) => replaceRoute("frames", next)}
          onPatch={patch}
        />
      )}
    </div>
  );
}

function patchList(list: Frames, id: string, fields: Partial<FrameSummary>): Frames {
  return {
    ...list,
    frames: list.frames.map((frame) => (frame.id === id ? { ...frame, ...fields } : frame)),
  };
}

function ListSummary({ list }: { readonly list: Remote<Frames> }): JSX.Element {
  const frames = list.value?.frames ?? [];
  const reviewed = frames.filter((frame) => frame.isReviewed).length;
  return (
    <div class="list-summary" aria-live="polite">
      <span data-testid="frame-total">
        {list.value ? counted(list.value.total, "frame") : "\u00a0"}
      </span>
      {list.value && <span>{reviewed} reviewed</span>}
      <progress value={reviewed} max={Math.max(1, frames.length)} aria-label="Share reviewed" />
    </div>
  );
}

interface ListBodyProps {
  readonly list: Remote<Frames>;
  readonly currentId: string | null;
  readonly hasFilter: boolean;
  readonly onClear: () => void;
}

function ListBody({ list, currentId, hasFilter, onClear }: ListBodyProps): JSX.Element {
  if (list.error)
    return <Failed title="The list did not load" error={list.error} onRetry={list.reload} />;
  if (!list.value) return <Skeleton lines={9} />;
  if (list.value.frames.length > 0)
    return <FrameList frames={list.value.frames} currentId={currentId} />;
  if (!hasFilter) return <Empty icon="frames" title="No frames yet" />;
  return (
    <Empty icon="search" title="No frame matches">
      <Button onClick={onClear}>Clear the filter</Button>
    </Empty>
  );
}

interface NoFrameProps {
  readonly isLoading: boolean;
  readonly canEdit: boolean;
  readonly onBrowse: () => void;
}

function NoFrame({ isLoading, canEdit, onBrowse }: NoFrameProps): JSX.Element {
  return (
    <section class="pane pane-canvas is-alone">
      {!isLoading && (
        <Empty
          icon="upload"
          title={canEdit ? "Drop photos or clips here" : "Nothing to look at yet"}
        >
          {canEdit && (
            <>
              <p>
                JPEG, PNG, WebP and MP4. Position and camera data are removed, then everything is
                encrypted.
              </p>
              <Button kind="primary" icon="upload" onClick={onBrowse}>
                Choose files
              </Button>
            </>
          )}
        </Empty>
      )}
    </section>
  );
}
