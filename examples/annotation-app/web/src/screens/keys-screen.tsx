import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError, api } from "../data/api.ts";
import type { KeyInfo } from "../data/contract.ts";
import { count, percent } from "../data/format.ts";
import { notify } from "../ui/announcer.tsx";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Failed, Skeleton } from "../ui/states.tsx";
import { asError, useRemote } from "../ui/use-remote.ts";
import { RotationPanel } from "./rotation-panel.tsx";

export function KeysScreen({ canEdit }: { readonly canEdit: boolean }): JSX.Element {
  const keys = useRemote("keys", api.keys);
  const [busyId, setBusyId] = useState<string | null>(null);
  const [refusal, setRefusal] = useState<{ readonly id: string; readonly message: string } | null>(
    null,
  );
  const change = async (
    id: string,
    run: () => Promise<readonly KeyInfo[]>,
    done: string,
  ): Promise<void> => {
    setBusyId(id);
    setRefusal(null);
    try {
      keys.replace(await run());
      notify(done);
    } catch (error) {
      if (error instanceof ApiError && error.status === 409)
        setRefusal({ id, message: error.message });
      else notify(asError(error).message, true);
    }
    setBusyId(null);
  };
  return (
    <div class="page">
      <header class="page-header">
        <div>
          <h1>Keys</h1>
          <p class="hint">
            Ids only: the bytes of a key never leave the server, and never enter the database.
          </p>
        </div>
        <Button
          icon="plus"
          kind="primary"
          disabled={!canEdit}
          isBusy={busyId === "new"}
          onClick={() => void change("new", api.addKey, "New values are written under the new key")}
        >
          Add key
        </Button>
      </header>
      {keys.error && (
        <Failed title="The keys did not load" error={keys.error} onRetry={keys.reload} />
      )}
      {!keys.value && !keys.error && <Skeleton lines={3} />}
      {keys.value && (
        <KeyTable
          keys={keys.value}
          canEdit={canEdit}
          busyId={busyId}
          refusal={refusal}
          onRetire={(id) => void change(id, () => api.retireKey(id), `Key ${id} is retired`)}
        />
      )}
      <RotationPanel canEdit={canEdit} onProgress={keys.reload} />
    </div>
  );
}

interface KeyTableProps {
  readonly keys: readonly KeyInfo[];
  readonly canEdit: boolean;
  readonly busyId: string | null;
  readonly refusal: { readonly id: string; readonly message: string } | null;
  readonly onRetire: (id: string) => void;
}

function KeyTable({ keys, canEdit, busyId, refusal, onRetire }: KeyTableProps): JSX.Element {
  const total = keys.reduce((sum, key) => sum + key.values + key.objects, 0);
  return (
    <ul class="keys" aria-label="Keys">
      {keys.map((key) => (
        <li key={key.id} class={`key-card is-${key.status}`} data-testid="key">
          <span class="key-icon">
            <Icon name="key" />
          </span>
          <div class="key-name">
            <code>{key.id}</code>
            <span class={`key-status is-${key.status}`}>{key.status}</span>
          </div>
          <KeyUse
            share={total === 0 ? 0 : (key.values + key.objects) / total}
            values={key.values}
            objects={key.objects}
          />
          <Button
            kind="quiet"
            disabled={
              !canEdit ||
              key.status === "primary" ||
              key.status === "destroyed" ||
              key.status === "disabled"
            }
            isBusy={busyId === key.id}
            onClick={() => onRetire(key.id)}
          >
            Retire
          </Button>
          {refusal?.id === key.id && (
            <p class="key-refusal" role="alert" data-testid="retire-refused">
              <Icon name="alert" />
              <span>
                <strong>Not retired.</strong> {refusal.message}
              </span>
            </p>
          )}
        </li>
      ))}
    </ul>
  );
}

interface KeyUseProps {
  readonly share: number;
  readonly values: number;
  readonly objects: number;
}

function KeyUse({ share, values, objects }: KeyUseProps): JSX.Element {
  return (
    <div class="key-use">
      <progress value={share} aria-label="Share of what is stored" />
      <span>
        {count(values)} values · {count(objects)} files
      </span>
      <span class="faint">{percent(share)}</span>
    </div>
  );
}
