import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { api } from "../data/api.ts";
import { type CocoSummary, summarizeCoco } from "../data/coco.ts";
import type { ImportResult } from "../data/contract.ts";
import { counted } from "../data/format.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { asError } from "../ui/use-remote.ts";

type State =
  | { readonly kind: "empty" }
  | { readonly kind: "refused"; readonly name: string; readonly message: string }
  | {
      readonly kind: "ready" | "sending";
      readonly name: string;
      readonly text: string;
      readonly summary: CocoSummary;
    }
  | { readonly kind: "done"; readonly result: ImportResult };

interface ImportCardProps {
  readonly canEdit: boolean;
  readonly onImported: () => void;
}

export function ImportCard({ canEdit, onImported }: ImportCardProps): JSX.Element {
  const picker = useRef<HTMLInputElement>(null);
  const [state, setState] = useState<State>({ kind: "empty" });
  const look = async (file: File): Promise<void> => {
    try {
      const text = await file.text();
      setState({ kind: "ready", name: file.name, text, summary: summarizeCoco(text) });
    } catch (error) {
      setState({ kind: "refused", name: file.name, message: asError(error).message });
    }
  };
  const send = async (ready: State & { readonly kind: "ready" | "sending" }): Promise<void> => {
    setState({ ...ready, kind: "sending" });
    try {
      setState({ kind: "done", result: await api.importCoco(ready.text) });
      onImported();
    } catch (error) {
      setState({ kind: "refused", name: ready.name, message: asError(error).message });
    }
  };
  return (
    <section class="card">
      <h2>
        <Icon name="upload" /> Import COCO
      </h2>
      <p>
        Boxes are matched to frames by file name and added to what is there. Images are not part of
        the file.
      </p>
      <div class="import-state">
        <ImportState state={state} />
      </div>
      <div class="card-actions">
        <Button icon="file" disabled={!canEdit} onClick={() => picker.current?.click()}>
          Choose a file
        </Button>
        {(state.kind === "ready" || state.kind === "sending") && (
          <Button
            kind="primary"
            icon="upload"
            isBusy={state.kind === "sending"}
            onClick={() => void send(state)}
          >
            Import {counted(state.summary.annotations, "box", "boxes")}
          </Button>
        )}
      </div>
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
          event.currentTarget.value = "";
          if (file) void look(file);
        }}
      />
    </section>
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

function ImportReport({ result }: { readonly result: ImportResult }): JSX.Element {
  return (
    <div role="status" data-testid="import-result">
      <p class="import-note is-done">
        <Icon name="check" />
        <span>
          {counted(result.boxes, "box", "boxes")} added to {counted(result.frames, "frame")}.
        </span>
      </p>
      {result.skipped.length > 0 && (
        <ul class="skipped">
          {result.skipped.map(({ file, reason }) => (
            <li key={file}>
              <code>{file}</code> {reason}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
