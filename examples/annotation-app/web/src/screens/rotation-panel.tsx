// Re-encryption under the primary key, followed live.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { RotationState } from "../data/contract.ts";
import { percent } from "../data/format.ts";
import { figuresOf, type KeyUse, sentenceOf } from "../data/rotation-figures.ts";
import { followRotation } from "../data/rotation-stream.ts";
import { announce } from "../ui/announcer.tsx";
import { Button } from "../ui/button.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import { useAction } from "../ui/use-action.ts";

interface RotationPanelProps {
  readonly canEdit: boolean;
  /** A key is on its way, and the server would refuse to start. */
  readonly isHeld: boolean;
  /** What is under older keys; null while that is not known. */
  readonly oldUse: KeyUse | null;
  /** The counts per key have changed. */
  readonly onProgress: () => void;
}

interface Look {
  readonly sentence: string;
  readonly icon: IconName;
}

const LOOK: Readonly<Record<RotationState["state"], Look>> = {
  idle: { sentence: "Nothing is running", icon: "swap" },
  running: { sentence: "Re-encrypting under the primary key", icon: "swap" },
  paused: { sentence: "Paused", icon: "pause" },
  done: { sentence: "Finished", icon: "check" },
  failed: { sentence: "Stopped by a failure", icon: "alert" },
};

/** It had finished, and then another key was added. */
const OUTDATED: Look = { sentence: "The last run is over", icon: "swap" };

export function RotationPanel(props: RotationPanelProps): JSX.Element {
  const { canEdit, isHeld, oldUse, onProgress } = props;
  const { rotation, isConnected, show } = useRotation(onProgress);
  const action = useAction();
  const state = rotation?.state ?? "idle";
  const isNeeded = oldUse !== null && oldUse.values + oldUse.objects > 0;
  const look = state === "done" && isNeeded ? OUTDATED : LOOK[state];
  return (
    <section class={`rotation is-${state}`} aria-label="Re-encryption" data-testid="rotation">
      <header>
        <div>
          <h2>Re-encryption</h2>
          <p class="hint">
            Old values and files move to the primary key while everybody goes on working. It
            survives a restart.
          </p>
        </div>
        <RotationButton
          state={state}
          canEdit={canEdit}
          isHeld={isHeld}
          isNeeded={isNeeded}
          isBusy={action.isBusy}
          onRun={(step) => action.run(async () => show(await api.rotate(step)))}
        />
      </header>
      <div class="rotation-line">
        <span class={`rotation-state is-${state}`}>
          <Icon name={look.icon} />
          {look.sentence}
        </span>
        {rotation && rotation.step !== "" && <code>{rotation.step}</code>}
        {state !== "running" && oldUse && <span>{sentenceOf(oldUse)}</span>}
        {!isConnected && (
          <span class="save-badge is-offline">
            <Icon name="offline" /> Live progress is away – reconnecting
          </span>
        )}
      </div>
      <RotationFigures rotation={rotation} />
    </section>
  );
}

interface FollowedRotation {
  readonly rotation: RotationState | null;
  readonly isConnected: boolean;
  readonly show: (rotation: RotationState) => void;
}

/** While it runs, the counts per key are asked for this often. */
const COUNT_MS = 2_000;

/** The rotation as the server tells it. Each change of its state is spoken; progress is reported now and then. */
function useRotation(onProgress: () => void): FollowedRotation {
  const [rotation, setRotation] = useState<RotationState | null>(null);
  const [isConnected, setConnected] = useState(true);
  const shown = useRef<RotationState["state"] | null>(null);
  const reportedAt = useRef(0);
  useEffect(() => {
    const report = (): void => {
      reportedAt.current = performance.now();
      onProgress();
    };
    const onState = (next: RotationState): void => {
      setRotation(next);
      if (shown.current !== null && shown.current !== next.state) {
        announce(LOOK[next.state].sentence);
        report();
      } else if (next.state === "running" && performance.now() - reportedAt.current > COUNT_MS) {
        report();
      }
      shown.current = next.state;
    };
    return followRotation(onState, setConnected);
  }, [onProgress]);
  return { rotation, isConnected, show: setRotation };
}

interface RotationButtonProps {
  readonly state: RotationState["state"];
  readonly canEdit: boolean;
  readonly isHeld: boolean;
  readonly isNeeded: boolean;
  readonly isBusy: boolean;
  readonly onRun: (step: "start" | "pause" | "resume") => void;
}

function RotationButton(props: RotationButtonProps): JSX.Element {
  const { state, canEdit, isHeld, isNeeded, isBusy, onRun } = props;
  if (state === "running") {
    return (
      <Button icon="pause" disabled={!canEdit} isBusy={isBusy} onClick={() => onRun("pause")}>
        Pause
      </Button>
    );
  }
  const step = state === "paused" ? "resume" : "start";
  return (
    <Button
      icon="play"
      kind={isNeeded || step === "resume" ? "primary" : "plain"}
      disabled={!canEdit || isHeld}
      isBusy={isBusy}
      onClick={() => onRun(step)}
    >
      {step === "resume" ? "Resume" : "Re-encrypt"}
    </Button>
  );
}

function RotationFigures({ rotation }: { readonly rotation: RotationState | null }): JSX.Element {
  const done = rotation?.done ?? 0;
  const total = rotation?.total ?? 0;
  const share = total === 0 ? 0 : done / total;
  return (
    <>
      <div class="rotation-bar">
        <progress value={share} aria-label="Re-encrypted" />
        <span class="rotation-percent">{percent(share)}</span>
      </div>
      <dl class="figures">
        {figuresOf(rotation).map(([name, value]) => (
          <div
            key={name}
            class={name === "Failures" && (rotation?.failures ?? 0) > 0 ? "is-problem" : undefined}
          >
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
