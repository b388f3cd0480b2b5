// What every screen shares: the bar with the way between screens, uploads, and the person who is signed in.
import type { ComponentChildren, JSX, RefObject } from "preact";
import { useRef, useState } from "preact/hooks";
import { api, type FrameFilter } from "./data/api.ts";
import type { Catalogue, Session } from "./data/contract.ts";
import { ACCEPTED_TYPES } from "./data/upload.ts";
import { linkTo, type Route, type Screen, SCREENS, useRoute } from "./route.ts";
import { ActivityScreen } from "./screens/activity-screen.tsx";
import { DropTarget } from "./screens/drop-target.tsx";
import { DatabaseScreen } from "./screens/database-screen.tsx";
import { NO_FILTER } from "./screens/frame-filter.tsx";
import { FramesScreen } from "./screens/frames-screen.tsx";
import { KeysScreen } from "./screens/keys-screen.tsx";
import { TransferScreen } from "./screens/transfer-screen.tsx";
import { UnsavedBadge } from "./screens/unsaved-frames.tsx";
import { UploadTray } from "./screens/upload-tray.tsx";
import { useUploads } from "./screens/use-uploads.ts";
import { VideosScreen } from "./screens/videos-screen.tsx";
import { Button, IconButton } from "./ui/button.tsx";
import { Icon, type IconName, Mark } from "./ui/icon.tsx";
import { Loaded } from "./ui/loaded.tsx";
import { ThemeToggle } from "./ui/theme-toggle.tsx";
import { useRemote } from "./ui/use-remote.ts";
import { useSameWhileEqual } from "./ui/use-same.ts";

const NAVIGATION: Readonly<Record<Screen, { readonly name: string; readonly icon: IconName }>> = {
  frames: { name: "Frames", icon: "frames" },
  videos: { name: "Videos", icon: "video" },
  database: { name: "Database", icon: "database" },
  keys: { name: "Keys", icon: "key" },
  transfer: { name: "Import & export", icon: "transfer" },
  activity: { name: "Activity", icon: "activity" },
};

interface ShellProps {
  readonly user: NonNullable<Session["user"]>;
  readonly isLeaving: boolean;
  readonly onSignOut: () => void;
}

export function Shell({ user, isLeaving, onSignOut }: ShellProps): JSX.Element {
  const route = useRoute();
  const picker = useRef<HTMLInputElement>(null);
  const [revision, setRevision] = useState(0);
  const catalogue = useRemote(`catalogue ${revision}`, api.catalogue);
  const stableCatalogue = useSameWhileEqual(catalogue.value);
  const refresh = (): void => setRevision((before) => before + 1);
  // Where one was among the frames: still so after a look at another screen.
  const [filter, setFilter] = useState<FrameFilter>(NO_FILTER);
  const [lastFrame, setLastFrame] = useState<string | undefined>(undefined);
  const uploads = useUploads(refresh);
  const canEdit = user.role === "annotator";
  const browse = (): void => picker.current?.click();
  return (
    <div class="shell">
      <SkipLink />
      <Bar screen={route.screen} lastFrame={lastFrame} onBrowse={canEdit ? browse : null}>
        <Person user={user} />
        <IconButton icon="signout" name="Sign out" disabled={isLeaving} onClick={onSignOut} />
      </Bar>
      <main class="screen" tabIndex={-1}>
        <h1 class="visually-hidden">{NAVIGATION[route.screen].name}</h1>
        <Loaded
          remote={{ ...catalogue, value: stableCatalogue }}
          failure="The server does not answer"
          skeletonLines={0}
        >
          {(known) => (
            <CurrentScreen
              route={route}
              catalogue={known}
              userName={user.name}
              canEdit={canEdit}
              revision={revision}
              onBrowse={browse}
              onImported={refresh}
              filter={filter}
              onFilter={setFilter}
              onShown={setLastFrame}
            />
          )}
        </Loaded>
      </main>
      <UploadTray uploads={uploads} />
      {canEdit && <FilePicker picker={picker} onFiles={uploads.add} />}
      <DropTarget onFiles={canEdit ? uploads.add : null} />
    </div>
  );
}

/** Past the bar and the filters to where one works. No address: that would be another screen. */
function SkipLink(): JSX.Element {
  const skip = (): void => {
    const canvas = document.querySelector<SVGElement>("main .editor");
    (canvas ?? document.querySelector<HTMLElement>("main"))?.focus();
  };
  return (
    <button type="button" class="button skip-link" onClick={skip}>
      Skip to the content
    </button>
  );
}

interface BarProps {
  readonly screen: Screen;
  readonly lastFrame: string | undefined;
  /** Null for a viewer, who adds nothing. */
  readonly onBrowse: (() => void) | null;
  readonly children: ComponentChildren;
}

function Bar({ screen, lastFrame, onBrowse, children }: BarProps): JSX.Element {
  return (
    <header class="bar">
      <a class="brand" href={linkTo("frames")} aria-label="Fieldseal Annotate">
        <Mark />
        <span>Fieldseal Annotate</span>
      </a>
      <Navigation current={screen} lastFrame={lastFrame} />
      <div class="bar-end">
        <UnsavedBadge openId={screen === "frames" ? (lastFrame ?? null) : null} />
        {onBrowse && (
          <Button icon="upload" onClick={onBrowse}>
            Add files
          </Button>
        )}
        <ThemeToggle />
        {children}
      </div>
    </header>
  );
}

function Person({ user }: { readonly user: ShellProps["user"] }): JSX.Element {
  return (
    <span class="person" title={`Signed in as ${user.name}`}>
      <strong>{user.name}</strong>
      <span>{user.role}</span>
    </span>
  );
}

interface FilePickerProps {
  readonly picker: RefObject<HTMLInputElement | null>;
  readonly onFiles: (files: readonly File[]) => void;
}

function FilePicker({ picker, onFiles }: FilePickerProps): JSX.Element {
  return (
    <input
      ref={picker}
      class="visually-hidden"
      type="file"
      multiple
      tabIndex={-1}
      aria-hidden="true"
      accept={Object.keys(ACCEPTED_TYPES).join(",")}
      data-testid="file-picker"
      onChange={(event) => {
        onFiles([...(event.currentTarget.files ?? [])]);
        event.currentTarget.value = "";
      }}
    />
  );
}

function Navigation({
  current,
  lastFrame,
}: {
  readonly current: Screen;
  readonly lastFrame: string | undefined;
}): JSX.Element {
  return (
    <nav class="navigation" aria-label="Screens">
      {SCREENS.map((screen) => (
        <a
          key={screen}
          href={linkTo(screen, screen === "frames" ? lastFrame : undefined)}
          aria-current={screen === current ? "page" : undefined}
        >
          <Icon name={NAVIGATION[screen].icon} />
          <span>{NAVIGATION[screen].name}</span>
        </a>
      ))}
    </nav>
  );
}

interface CurrentScreenProps {
  readonly route: Route;
  readonly catalogue: Catalogue;
  readonly userName: string;
  readonly canEdit: boolean;
  readonly revision: number;
  readonly onBrowse: () => void;
  readonly onImported: () => void;
  readonly filter: FrameFilter;
  readonly onFilter: (filter: FrameFilter) => void;
  readonly onShown: (id: string) => void;
}

function CurrentScreen(props: CurrentScreenProps): JSX.Element {
  const { route, catalogue, canEdit, revision } = props;
  switch (route.screen) {
    case "frames":
      return <FramesScreen {...props} id={route.id} />;
    case "videos":
      return <VideosScreen id={route.id} labels={catalogue.labels} revision={revision} />;
    case "database":
      return <DatabaseScreen />;
    case "keys":
      return <KeysScreen canEdit={canEdit} />;
    case "transfer":
      return <TransferScreen canEdit={canEdit} onImported={props.onImported} />;
    case "activity":
      return <ActivityScreen />;
  }
}
