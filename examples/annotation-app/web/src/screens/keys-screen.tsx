import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError, api } from "../data/api.ts";
import type { KeyInfo } from "../data/contract.ts";
import { counted, percent } from "../data/format.ts";
import { oldUseOf } from "../data/rotation-figures.ts";
import { notify } from "../ui/announcer.tsx";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { PageHeader } from "../ui/page-header.tsx";
import { useAction } from "../ui/use-action.ts";
import { useRemote } from "../ui/use-remote.ts";
import { RotationPanel } from "./rotation-panel.tsx";

export function KeysScreen({ canEdit }: { readonly canEdit: boolean }): JSX.Element {
  const keys = useRemote("keys", api.keys);
  const adding = useAction();
  const add = async (): Promise<void> => {
    keys.replace(await api.addKey());
    notify("New values are written under the new key");
  };
  return (
    <div class="page">
      <PageHeader
        title="Keys"
        hint="Ids only: the bytes of a key never leave the server, and never enter the database."
      >
        <Button
          icon="plus"
          disabled={!canEdit}
          isBusy={adding.isBusy}
          onClick={() => adding.run(add)}
        >
          Add key
        </Button>
      </PageHeader>
      <Loaded remote={keys} failure="The keys did not load" skeletonLines={2}>
        {(known) => <KeyList keys={known} canEdit={canEdit} onKeys={keys.replace} />}
      </Loaded>
      <RotationPanel
        canEdit={canEdit}
        isHeld={adding.isBusy}
        oldUse={keys.isLoading || keys.error ? null : oldUseOf(keys.value)}
        onProgress={keys.reload}
      />
      <RotationSteps />
    </div>
  );
}

const STEPS = [
  ["Add a key", "From then on everything new is written under it. What is there stays readable."],
  ["Re-encrypt", "Older values and files move over in the background, while everybody works."],
  ["Retire the old key", "Refused as long as a single value or file is still under it."],
] as const;

function RotationSteps(): JSX.Element {
  return (
    <ol class="steps" aria-label="How keys are changed">
      {STEPS.map(([title, text]) => (
        <li key={title}>
          <strong>{title}</strong>
          <p class="hint">{text}</p>
        </li>
      ))}
    </ol>
  );
}

interface KeyListProps {
  readonly keys: readonly KeyInfo[];
  readonly canEdit: boolean;
  readonly onKeys: (keys: readonly KeyInfo[]) => void;
}

function KeyList({ keys, canEdit, onKeys }: KeyListProps): JSX.Element {
  const total = keys.reduce((sum, { values, objects }) => sum + values + objects, 0);
  return (
    <ul class="keys" aria-label="Keys">
      {keys.map((key) => (
        <KeyRow key={key.id} info={key} total={total} canEdit={canEdit} onKeys={onKeys} />
      ))}
    </ul>
  );
}

interface KeyRowProps {
  readonly info: KeyInfo;
  readonly total: number;
  readonly canEdit: boolean;
  readonly onKeys: (keys: readonly KeyInfo[]) => void;
}

function KeyRow({ info, total, canEdit, onKeys }: KeyRowProps): JSX.Element {
  const retiring = useAction();
  const [refusal, setRefusal] = useState("");
  const retire = async (): Promise<void> => {
    setRefusal("");
    onKeys(await api.retireKey(info.id));
    notify(`Key ${info.id} is retired`);
  };
  const onRefused = (error: Error): boolean => {
    if (!(error instanceof ApiError) || error.status !== 409) return false;
    setRefusal(error.message);
    return true;
  };
  const canRetire = canEdit && (info.status === "enabled" || info.status === "decrypt-only");
  return (
    <li class={`key-card is-${info.status}`} data-testid="key">
      <span class="key-icon">
        <Icon name="key" />
      </span>
      <div class="key-name">
        <code>{info.id}</code>
        <span class={`key-status is-${info.status}`}>{info.status}</span>
      </div>
      <KeyUse info={info} total={total} />
      {info.status !== "primary" && (
        <Button
          disabled={!canRetire}
          isBusy={retiring.isBusy}
          onClick={() => retiring.run(retire, onRefused)}
        >
          Retire
        </Button>
      )}
      {refusal !== "" && <RetireRefused message={refusal} />}
    </li>
  );
}

function RetireRefused({ message }: { readonly message: string }): JSX.Element {
  return (
    <p class="key-refusal" role="alert" data-testid="retire-refused">
      <Icon name="alert" />
      <span>
        <strong>Not retired.</strong> {message}
      </span>
    </p>
  );
}

function KeyUse({ info, total }: Pick<KeyRowProps, "info" | "total">): JSX.Element {
  const share = total === 0 ? 0 : (info.values + info.objects) / total;
  return (
    <div class="key-use">
      <progress value={share} aria-label="Share of what is stored" />
      <span>
        {counted(info.values, "value")} · {counted(info.objects, "file")}
      </span>
      <span class="faint">{percent(share)}</span>
    </div>
  );
}
