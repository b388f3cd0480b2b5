// Who is signed in decides what there is: the sign-in page, or the shell with its screens.
import type { JSX } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { api, whenSignedOut } from "./data/api.ts";
import type { Session } from "./data/contract.ts";
import { flushUnsavedFrames, hasUnsavedFrames } from "./data/frame-session.ts";
import { SignIn } from "./screens/sign-in.tsx";
import { Shell } from "./shell.tsx";
import { Announcer } from "./ui/announcer.tsx";
import { Failed } from "./ui/states.tsx";
import { useRemote } from "./ui/use-remote.ts";

export function App(): JSX.Element {
  const session = useRemote("session", api.session);
  useEffect(() => whenSignedOut(session.reload), [session.reload]);
  useGuardOfUnsaved();
  return (
    <>
      <Page
        session={session.value}
        error={session.error}
        onSession={session.replace}
        onRetry={session.reload}
      />
      <Announcer />
    </>
  );
}

interface PageProps {
  readonly session: Session | null;
  readonly error: Error | null;
  readonly onSession: (session: Session) => void;
  readonly onRetry: () => void;
}

function Page({ session, error, onSession, onRetry }: PageProps): JSX.Element {
  const [isLeaving, setLeaving] = useState(false);
  const signOut = useCallback(async () => {
    setLeaving(true);
    try {
      await flushUnsavedFrames();
      onSession(await api.signOut());
    } finally {
      setLeaving(false);
    }
  }, [onSession]);
  if (error && !session)
    return <Failed title="The server does not answer" error={error} onRetry={onRetry} />;
  if (!session) return <main class="sign-in" aria-busy="true" />;
  if (!session.user) return <SignIn session={session} onSignedIn={onSession} />;
  return <Shell user={session.user} isLeaving={isLeaving} onSignOut={() => void signOut()} />;
}

/** Asks before the page closes with edits that the server does not have; sends them when the network is back. */
function useGuardOfUnsaved(): void {
  useEffect(() => {
    const onBeforeUnload = (event: BeforeUnloadEvent): void => {
      if (!hasUnsavedFrames()) return;
      void flushUnsavedFrames();
      event.preventDefault();
    };
    const onOnline = (): void => void flushUnsavedFrames();
    addEventListener("beforeunload", onBeforeUnload);
    addEventListener("online", onOnline);
    return () => {
      removeEventListener("beforeunload", onBeforeUnload);
      removeEventListener("online", onOnline);
    };
  }, []);
}
