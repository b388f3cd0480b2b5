// The annotation screen: frames on the left, canvas in the middle, what is selected on the right.
import type { JSX } from "preact";
import { useCallback, useEffect } from "preact/hooks";
import { api, type FrameFilter } from "../data/api.ts";
import type { Catalogue, FrameList as Frames, FrameSummary } from "../data/contract.ts";
import { counted } from "../data/format.ts";
import { replaceRoute } from "../route.ts";
import { Button } from "../ui/button.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { Empty } from "../ui/states.tsx";
import { type Remote, useRemote } from "../ui/use-remote.ts";
import { FrameFilterBar, isFiltering, NO_FILTER, SearchNote } from "./frame-filter.tsx";
import { FrameList } from "./frame-list.tsx";
import { NoFrame } from "./no-frame.tsx";
import { FrameWorkspace } from "./frame-workspace.tsx";

interface FramesScreenProps {
  readonly id: string | null;
  readonly catalogue: Catalogue;
  readonly userName: string;
  readonly canEdit: boolean;
  /** Counts uploads and imports; another number loads the list anew. */
  readonly revision: number;
  readonly filter: FrameFilter;
  readonly onFilter: (filter: FrameFilter) => void;
  /** Another frame is on screen. */
  readonly onShown: (id: string) => void;
  readonly onBrowse: () => void;
}

export function FramesScreen(props: FramesScreenProps): JSX.Element {
  const { id, catalogue, canEdit, revision, filter, onFilter, onShown } = props;
  const list = useRemote(JSON.stringify([filter, revision]), () => api.frames(filter));
  const frames = list.value?.frames ?? [];
  const currentId = id ?? frames[0]?.id ?? null;
  useEffect(() => {
    if (currentId !== null) onShown(currentId);
  }, [currentId]);
  const patch = useCallback(
    (frameId: string, fields: Partial<FrameSummary>) =>
      list.update((known) => patchList(known, frameId, fields)),
    [list.update],
  );
  return (
    <div class="workspace">
      <FramePane
        list={list}
        filter={filter}
        catalogue={catalogue}
        currentId={currentId}
        onFilter={onFilter}
      />
      {currentId === null ? (
        <NoFrame
          reason={list.value === null ? "loading" : isFiltering(filter) ? "filtered" : "empty"}
          canEdit={canEdit}
          onBrowse={props.onBrowse}
        />
      ) : (
        <FrameWorkspace
          id={currentId}
          frames={frames}
          labels={catalogue.labels}
          userName={props.userName}
          canEdit={canEdit}
          onOpen={(next) => replaceRoute("frames", next)}
          onPatch={patch}
        />
      )}
    </div>
  );
}

interface FramePaneProps {
  readonly list: Remote<Frames>;
  readonly filter: FrameFilter;
  readonly catalogue: Catalogue;
  readonly currentId: string | null;
  readonly onFilter: (filter: FrameFilter) => void;
}

function FramePane(props: FramePaneProps): JSX.Element {
  const { list, filter, catalogue, currentId, onFilter } = props;
  const search = list.value?.search;
  return (
    <aside class="pane pane-list" data-pane aria-label="Frames">
      <FrameFilterBar filter={filter} catalogue={catalogue} onChange={onFilter} />
      {search && <SearchNote search={search} label={filter.label} />}
      <ListSummary list={list} onClear={isFiltering(filter) ? () => onFilter(NO_FILTER) : null} />
      <Loaded remote={list} failure="The list did not load" skeletonLines={9}>
        {({ frames }) =>
          frames.length > 0 ? (
            <FrameList frames={frames} currentId={currentId} />
          ) : (
            <NoMatch isFiltering={isFiltering(filter)} onClear={() => onFilter(NO_FILTER)} />
          )
        }
      </Loaded>
    </aside>
  );
}

function patchList(list: Frames, id: string, fields: Partial<FrameSummary>): Frames {
  return {
    ...list,
    frames: list.frames.map((frame) => (frame.id === id ? { ...frame, ...fields } : frame)),
  };
}

interface ListSummaryProps {
  readonly list: Remote<Frames>;
  /** Null while nothing is filtered. */
  readonly onClear: (() => void) | null;
}

function ListSummary({ list, onClear }: ListSummaryProps): JSX.Element {
  const frames = list.value?.frames ?? [];
  const reviewed = frames.filter((frame) => frame.isReviewed).length;
  return (
    <div class="list-summary" aria-live="polite">
      <span>
        <span data-testid="frame-total">
          {list.value ? counted(list.value.total, "frame") : "\u00a0"}
        </span>
        {onClear && (
          <button type="button" class="link" onClick={onClear}>
            Clear filter
          </button>
        )}
      </span>
      {list.value && <span>{reviewed} reviewed</span>}
      <progress value={reviewed} max={Math.max(1, frames.length)} aria-label="Share reviewed" />
    </div>
  );
}

interface NoMatchProps {
  readonly isFiltering: boolean;
  readonly onClear: () => void;
}

function NoMatch({ isFiltering, onClear }: NoMatchProps): JSX.Element {
  if (!isFiltering) return <Empty icon="frames" title="No frames yet" />;
  return (
    <Empty icon="search" title="No frame matches">
      <Button onClick={onClear}>Clear the filter</Button>
    </Empty>
  );
}
