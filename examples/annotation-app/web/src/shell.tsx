// What every screen shares: the bar with the way between screens, uploads, and the person who is signed in.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { api } from "./data/api.ts";
import type { Catalogue, Session } from "./data/contract.ts";
import { linkTo, type Route, type Screen, SCREENS, useRoute } from "./route.ts";
import { ActivityScreen } from "./screens/activity-screen.tsx";
import { DatabaseScreen } from "./screens/database-screen.tsx";
import { FramesScreen } from "./screens/frames-screen.tsx";
import { KeysScreen } from "./screens/keys-screen.tsx";
import { TransferScreen } from "./screens/transfer-screen.tsx";
import { DropTarget, UploadTray, useUploads } from "./screens/upload-tray.tsx";
import { VideosScreen } from "./screens/videos-screen.tsx";
import { Button, IconButton } from "./ui/button.tsx";
import { Icon, type IconName, Mark } from "./ui/icon.tsx";
import { Failed } from "./ui/states.tsx";
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
  const refresh = (): void => setRevision((value) => value + 1);
  const uploads = useUploads(refresh);
  const canEdit = user.role === "annotator";
  const browse = (): void => picker.current?.click();
  return (
    <div class="shell">
      <header class="bar">
        <a class="brand" href={linkTo("frames")} aria-label="Fieldseal Annotate">
          <Mark />
          <span>Fieldseal Annotate</span>
        </a>
        <Navigation current={route.screen} />
        <div class="bar-end">
          {canEdit && (
            <Button icon="upload" onClick={browse}>
              Add files
            </Button>
          )}
          <ThemeToggle />
          <span class="person" title={`Signed in as ${user.name}`}>
            <strong>{user.name}</strong>
            <span>{user.role}</span>
          </span>
          <IconButton icon="signout" name="Sign out" disabled={isLeaving} onClick={onSignOut} />
        </div>
      </header>
      <main class="screen">
        {catalogue.error && (
          <Failed
            title="The server does not answer"
            error={catalogue.error}
            onRetry={catalogue.reload}
          />
        )}
        {stableCatalogue && (
          <CurrentScreen
            route={route}
            catalogue={stableCatalogue}
            canEdit={canEdit}
            revision={revision}
            onBrowse={browse}
            onImported={refresh}
          />
        )}
      </main>
      <input
        ref={picker}
        class="visually-hidden"
        type="file"
        multiple
        tabIndex={-1}
        aria-hidden="true"
        accept="image/jpeg,image/png,image/webp,video/mp4"
        onChange={(event) => {
          uploads.add([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
      />
      <UploadTray uploads={uploads} />
      {canEdit && <DropTarget onFiles={uploads.add} />}
    </div>
  );
}

function Navigation({ current }: { readonly current: Screen }): JSX.Element {
  return (
    <nav class="navigation" aria-label="Screens">
      {SCREENS.map((screen) => (
        <a
          key={screen}
          href={linkTo(screen)}
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
  readonly canEdit: boolean;
  readonly revision: number;
  readonly onBrowse: () => void;
  readonly onImported: () => void;
}

function CurrentScreen({
  route,
  catalogue,
  canEdit,
  revision,
  onBrowse,
  onImported,
}: CurrentScreenProps): JSX.Element {
  switch (route.screen) {
    case "frames":
      return (
        <FramesScreen
          id={route.id}
          catalogue={catalogue}
          canEdit={canEdit}
          revision={revision}
          onBrowse={onBrowse}
        />
      );
    case "videos":
      return <VideosScreen id={route.id} labels={catalogue.labels} revision={revision} />;
    case "database":
      return <DatabaseScreen />;
    case "keys":
      return <KeysScreen canEdit={canEdit} />;
    case "transfer":
      return <TransferScreen canEdit={canEdit} onImported={onImported} />;
    case "activity":
      return <ActivityScreen />;
  }
}
