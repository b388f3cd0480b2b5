import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { Session } from "../data/contract.ts";
import { Button } from "../ui/button.tsx";
import { Icon, Mark } from "../ui/icon.tsx";
import { asError } from "../ui/use-remote.ts";
import { ThemeToggle } from "../ui/theme-toggle.tsx";

interface SignInProps {
  readonly session: Session;
  readonly onSignedIn: (session: Session) => void;
}

export function SignIn({ session, onSignedIn }: SignInProps): JSX.Element {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      onSignedIn(await api.signIn(name, password));
    } catch (error) {
      setProblem(asError(error).message);
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <div class="sign-in-theme">
        <ThemeToggle />
      </div>
      <form class="sign-in-card" onSubmit={(event) => void submit(event)}>
        <Mark />
        <h1>Fieldseal Annotate</h1>
        <p class="hint">
          Surveillance frames, boxes and notes, encrypted before they reach the database.
        </p>
        <label class="stacked">
          <span>Name</span>
          <input
            class="field"
            name="username"
            autocomplete="username"
            required
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label class="stacked">
          <span>Password</span>
          <input
            class="field"
            name="password"
            type="password"
            autocomplete="current-password"
            required
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </label>
        <p class="form-problem" role="alert">
          {problem !== "" && <Icon name="alert" />}
          {problem}
        </p>
        <Button type="submit" kind="primary" isBusy={isBusy}>
          Sign in
        </Button>
        {session.demoAccounts.length > 0 && (
          <div class="demo-accounts">
            <p>Demo accounts</p>
            {session.demoAccounts.map((account) => (
              <Button
                key={account.name}
                kind="quiet"
                icon={account.role === "annotator" ? "draw" : "eye"}
                onClick={() => {
                  setName(account.name);
                  setPassword(account.password);
                }}
              >
                {account.name} · {account.role}
              </Button>
            ))}
          </div>
        )}
      </form>
    </main>
  );
}
