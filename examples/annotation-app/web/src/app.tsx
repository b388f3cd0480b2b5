// Who is signed in decides what there is: the sign-in page, or the shell with its screens.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api, whenSignedOut } from "./data/api.ts";
import type { Session } from "./data/contract.ts";
import {
  abandonUnsavedFrames,
  flushUnsavedFrames,
  hasUnsavedFrames,
} from "./data/frame-session.ts";
import { letOtherTabsSave, saveForOtherTabs } from "./data/other-tabs.ts";
import { SignIn } from "./screens/sign-in.tsx";
import { LeavingDialog } from "./screens/unsaved-frames.tsx";
import { isUploading } from "./screens/use-uploads.ts";
import { Shell } from "./shell.tsx";
import { Announcer, notify } from "./ui/announcer.tsx";
import { Failed } from "./ui/states.tsx";
import { useAction } from "./ui/use-action.ts";
import { type Remote, useRemote } from "./ui/use-remote.ts";

export function App(): JSX.Element {
  const session = useRemote("session", api.session);
  const [hasEnded, setEnded] = useState(false);
  useEffect(() => {
    whenSignedOut(() => {
      setEnded(true);
      session.reload();
    });
  }, [session.reload]);
  useOwnerOfUnsaved(session.value?.user?.name);
  useGuardOfUnsaved();
  const onSession = (opened: Session): void => {
    setEnded(false);
    session.replace(opened);
  };
  return (
    <>
      <Page session={session} hasEnded={hasEnded} onSession={onSession} />
      <Announcer />
    </>
  );
}

interface PageProps {
  readonly session: Remote<Session>;
  /** The session ended by itself: nobody has signed out. */
  readonly hasEnded: boolean;
  readonly onSession: (session: Session) => void;
}

function Page({ session, hasEnded, onSession }: PageProps): JSX.Element {
  const leaving = useLeaving(onSession);
  const { value, error, reload } = session;
  if (error && !value) {
    return (
      <main class="sign-in">
        <Failed title="The server does not answer" error={error} onRetry={reload} />
      </main>
    );
  }
  if (!value) return <main class="sign-in" aria-busy="true" />;
  if (!value.user) return <SignIn session={value} hasEnded={hasEnded} onSignedIn={onSession} />;
  return (
    <>
      <Shell
        // Nothing of one person stays for the next: no filter, no open frame, no file that waits to be added. And no
        // frame whose edits were discarded for a sign-out that then failed.
        key={`${leaving.failures} ${value.user.role} ${value.user.name}`}
        user={value.user}
        isLeaving={leaving.isBusy}
        onSignOut={leaving.signOut}
      />
      {leaving.isAsking && (
        <LeavingDialog onStay={leaving.stay} onDiscard={leaving.discardAndSignOut} />
      )}
    </>
  );
}

interface Leaving {
  readonly isBusy: boolean;
  /** How often one that had discarded edits came to nothing. */
  readonly failures: number;
  /** Something would be lost: whether to sign out all the same is asked. */
  readonly isAsking: boolean;
  signOut(): void;
  stay(): void;
  discardAndSignOut(): void;
}

function useLeaving(onSession: (session: Session) => void): Leaving {
  const [isAsking, setAsking] = useState(false);
  const [failures, setFailures] = useState(0);
  const { isBusy, run } = useAction();
  const leave = async (): Promise<void> => {
    await letOtherTabsSave();
    onSession(await api.signOut());
  };
  return {
    isBusy,
    failures,
    isAsking,
    signOut: () =>
      run(async () => {
        if (isUploading()) return notify("Files are still being added", true);
        await flushUnsavedFrames();
        if (hasUnsavedFrames()) setAsking(true);
        else await leave();
      }),
    stay: () => setAsking(false),
    discardAndSignOut: () => {
      setAsking(false);
      abandonUnsavedFrames();
      run(leave, () => {
        setFailures((before) => before + 1);
        return false;
      });
    },
  };
}

/**
 * Edits that wait for the network belong to whoever made them; the next person's session must not save them. Done while
 * rendering: effects come after the shell of the person before is taken down, which saves what waits.
 */
function useOwnerOfUnsaved(name: string | undefined): void {
  const owner = useRef<string | undefined>(undefined);
  const before = owner.current;
  if (name === undefined || name === before) return;
  owner.current = name;
  if (before === undefined || !hasUnsavedFrames()) return;
  abandonUnsavedFrames();
  notify(`Edits of ${before} that were not saved yet are dropped`, true);
}

/** Asks before the page closes with edits that the server does not have; sends them when the network is back. */
function useGuardOfUnsaved(): void {
  useEffect(() => {
    const listening = new AbortController();
    const { signal } = listening;
    const flush = (): void => void flushUnsavedFrames();
    const onBeforeUnload = (event: BeforeUnloadEvent): void => {
      if (!hasUnsavedFrames() && !isUploading()) return;
      flush();
      event.preventDefault();
    };
    // A phone may end a page that is out of sight without asking anybody.
    const endOfTabs = saveForOtherTabs(flushUnsavedFrames);
    const onVisibility = (): void => {
      if (document.visibilityState === "hidden") flush();
    };
    addEventListener("beforeunload", onBeforeUnload, { signal });
    addEventListener("online", flush, { signal });
    document.addEventListener("visibilitychange", onVisibility, { signal });
    return () => {
      endOfTabs();
      listening.abort();
    };
  }, []);
}
