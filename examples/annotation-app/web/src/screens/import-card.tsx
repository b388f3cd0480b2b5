import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { api } from "../data/api.ts";
import { type CocoSummary, summarizeCoco } from "../data/coco.ts";
import type { ImportResult } from "../data/contract.ts";
import { counted } from "../data/format.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { asError } from "../ui/use-remote.ts";

interface ReadyState {
  readonly kind: "ready" | "sending";
  readonly name: string;
  readonly text: string;
  readonly summary: CocoSummary;
}

type State =
  | { readonly kind: "empty" }
  | { readonly kind: "refused"; readonly name: string; readonly message: string }
  | ReadyState
  | { readonly kind: "done"; readonly result: ImportResult };

interface ImportCardProps {
  readonly canEdit: boolean;
  readonly onImported: () => void;
}

export function ImportCard({ canEdit, onImported }: ImportCardProps): JSX.Element {
  const { state, look, send } = useImport(onImported);
  const { isOver, ...dropping } = useDrop(canEdit ? look : null);
  return (
    <section
      class={isOver ? "card is-import is-over" : "card is-import"}
      aria-label="Import COCO"
      {...dropping}
    >
      <h2>
        <Icon name="upload" /> Import COCO
      </h2>
      <p>
        Drop a JSON file here, or choose one. Its boxes are matched to frames by file name and added
        to what is there; pictures are not part of it.
      </p>
      <ImportState state={state} />
      <div class="card-actions">
        <JsonPicker isDisabled={!canEdit} onFile={look} />
        {(state.kind === "ready" || state.kind === "sending") && (
          <Button
            kind="primary"
            icon="upload"
            isBusy={state.kind === "sending"}
            onClick={() => send(state)}
          >
            Import {counted(state.summary.annotations, "box", "boxes")}
          </Button>
        )}
      </div>
    </section>
  );
}

interface Import {
  readonly state: State;
  readonly look: (file: File) => void;
  readonly send: (ready: ReadyState) => void;
}

/** A file is looked at before it is sent: what is in it, or why it will not do. */
function useImport(onImported: () => void): Import {
  const [state, setState] = useState<State>({ kind: "empty" });
  const orRefuse = async (name: string, task: () => Promise<void>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      setState({ kind: "refused", name, message: asError(error).message });
    }
  };
  const look = (file: File): void => {
    void orRefuse(file.name, async () => {
      const text = await file.text();
      setState({ kind: "ready", name: file.name, text, summary: summarizeCoco(text) });
    });
  };
  const send = (ready: ReadyState): void => {
    setState({ ...ready, kind: "sending" });
    void orRefuse(ready.name, async () => {
      setState({ kind: "done", result: await api.importCoco(ready.text) });
      onImported();
    });
  };
  return { state, look, send };
}

interface Drop {
  readonly isOver: boolean;
  onDragOver(event: DragEvent): void;
  onDragLeave(event: DragEvent): void;
  onDrop(event: DragEvent): void;
}

/** Takes the first dropped file; the rest of the page, which adds pictures, does not hear of it. */
function useDrop(onFile: ((file: File) => void) | null): Drop {
  const [isOver, setOver] = useState(false);
  const claim = (event: DragEvent): boolean => {
    if (!onFile || !event.dataTransfer?.types.includes("Files")) return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  return {
    isOver,
    onDragOver: (event) => setOver(claim(event)),
    onDragLeave: () => setOver(false),
    onDrop: (event) => {
      const file = event.dataTransfer?.files[0];
      if (claim(event) && file) onFile?.(file);
      setOver(false);
    },
  };
}

interface JsonPickerProps {
  readonly isDisabled: boolean;
  readonly onFile: (file: File) => void;
}

function JsonPicker({ isDisabled, onFile }: JsonPickerProps): JSX.Element {
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button icon="file" disabled={isDisabled} onClick={() => picker.current?.click()}>
        Choose a file
      </Button>
      <input
        ref={picker}
        class="visually-hidden"
        type="file"
        accept="application/json,.json"
        tabIndex={-1}
        aria-label="COCO file"
        data-testid="coco-file"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) onFile(file);
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}

function ImportState({ state }: { readonly state: State }): JSX.Element | null {
  switch (state.kind) {
    case "empty":
      return null;
    case "refused":
      return (
        <p class="form-problem" role="alert">
          <Icon name="alert" />
          <span>
            <strong>{state.name}</strong> was not imported. {state.message}
          </span>
        </p>
      );
    case "ready":
    case "sending":
      return (
        <p class="import-note">
          <Icon name="file" />
          <span>
            <strong>{state.name}</strong>: {counted(state.summary.images, "image")},{" "}
            {counted(state.summary.annotations, "box", "boxes")},{" "}
            {counted(state.summary.categories.length, "label")}
          </span>
        </p>
      );
    case "done":
      return <ImportReport result={state.result} />;
  }
}

function sentenceOf({ boxes, frames, skipped }: ImportResult): string {
  if (boxes > 0) return `${counted(boxes, "box", "boxes")} added to ${counted(frames, "frame")}.`;
  return skipped.length > 0 ? "Nothing was added." : "Nothing to add: all of it is there already.";
}

function ImportReport({ result }: { readonly result: ImportResult }): JSX.Element {
  return (
    <div role="status" data-testid="import-result">
      <p class="import-note is-done">
        <Icon name="check" />
        <span>{sentenceOf(result)}</span>
      </p>
      {result.skipped.length > 0 && (
        <ul class="skipped">
          {result.skipped.map(({ file, reason }, index) => (
            <li key={index}>
              <Icon name="alert" />
              <span>
                <code>{file}</code> – {reason}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
