import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { Session } from "../data/contract.ts";
import { Button } from "../ui/button.tsx";
import { Icon, Mark } from "../ui/icon.tsx";
import { TextField } from "../ui/text-field.tsx";
import { ThemeToggle } from "../ui/theme-toggle.tsx";
import { useAction } from "../ui/use-action.ts";

interface SignInProps {
  readonly session: Session;
  /** The session before ended by itself. */
  readonly hasEnded: boolean;
  readonly onSignedIn: (session: Session) => void;
}

export function SignIn({ session, hasEnded, onSignedIn }: SignInProps): JSX.Element {
  return (
    <main class="sign-in">
      <div class="sign-in-theme">
        <ThemeToggle />
      </div>
      <div class="sign-in-card">
        <header>
          <Mark />
          <div>
            <h1>Fieldseal Annotate</h1>
            <p class="hint">Frames, boxes and notes, encrypted before they are stored.</p>
          </div>
        </header>
        {hasEnded && (
          <p class="notice" role="status">
            <Icon name="lock" />
            Your session has ended. Sign in again: edits that were not saved wait in this page.
          </p>
        )}
        <SignInForm accounts={session.demoAccounts} onSignedIn={onSignedIn} />
      </div>
    </main>
  );
}

interface SignInFormProps {
  readonly accounts: Session["demoAccounts"];
  readonly onSignedIn: (session: Session) => void;
}

function SignInForm({ accounts, onSignedIn }: SignInFormProps): JSX.Element {
  const [{ name, password }, setAccount] = useState({ name: "", password: "" });
  const [problem, setProblem] = useState("");
  const action = useAction();
  const onSubmit = (event: Event): void => {
    event.preventDefault();
    if (action.isBusy) return;
    setProblem("");
    const showProblem = (error: Error): boolean => {
      setProblem(error.message);
      return true;
    };
    action.run(async () => onSignedIn(await api.signIn(name, password)), showProblem);
  };
  return (
    <form onSubmit={onSubmit}>
      <TextField
        label="Name"
        name="username"
        isInitial
        autocomplete="username"
        value={name}
        onInput={(value) => setAccount({ name: value, password })}
      />
      <TextField
        label="Password"
        name="password"
        isSecret
        autocomplete="current-password"
        value={password}
        onInput={(value) => setAccount({ name, password: value })}
      />
      <p class="form-problem" role="alert">
        {problem !== "" && <Icon name="alert" />}
        {problem}
      </p>
      <Button type="submit" kind="primary" isBusy={action.isBusy}>
        Sign in
      </Button>
      {accounts.length > 0 && <DemoAccounts accounts={accounts} onChoose={setAccount} />}
    </form>
  );
}

type DemoAccount = Session["demoAccounts"][number];

interface DemoAccountsProps {
  readonly accounts: readonly DemoAccount[];
  readonly onChoose: (account: DemoAccount) => void;
}

function DemoAccounts({ accounts, onChoose }: DemoAccountsProps): JSX.Element {
  return (
    <section class="demo-accounts" aria-label="Demo accounts">
      <p>Fill in a demo account</p>
      {accounts.map((account) => (
        <button
          key={account.name}
          type="button"
          class="demo-account"
          onClick={() => onChoose(account)}
        >
          <Icon name={account.role === "annotator" ? "draw" : "eye"} />
          <strong>{account.name}</strong>
          <span>{account.role}</span>
        </button>
      ))}
    </section>
  );
}
