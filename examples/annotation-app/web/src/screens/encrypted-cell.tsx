// One encrypted column of a row: its stored bytes, what they open to, and the two experiments.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { RawCell, RawRow, RawTable, TamperResult } from "../data/contract.ts";
import { type Envelope, fromBase64, parseEnvelope } from "../data/envelope.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { useAction } from "../ui/use-action.ts";
import { EnvelopeBytes } from "./envelope-bytes.tsx";

export interface EncryptedCellProps {
  readonly table: RawTable;
  readonly row: RawRow;
  readonly below: RawRow | null;
  readonly column: string;
}

interface Experiment {
  readonly kind: "flip" | "swap";
  readonly result: TamperResult;
}

export function EncryptedCell(props: EncryptedCellProps): JSX.Element {
  const { row, column } = props;
  const [experiment, setExperiment] = useState<Experiment | null>(null);
  const cell = cellOf(row, column);
  const envelope = envelopeOf(cell.stored);
  const shown = experiment ? experiment.result.stored : cell.stored;
  return (
    <article class="cell" data-testid={`cell-${column}`}>
      <h3>
        <code>{column}</code>
        {envelope && <span class="suite">{envelope.suite}</span>}
        {envelope && <span class="suite">key {envelope.keyId}</span>}
      </h3>
      <div class="cell-stored">
        <Stored text={shown} original={fromBase64(cell.stored ?? "")} />
      </div>
      <div class="cell-opened">
        <Opened cell={cell} experiment={experiment} />
      </div>
      {envelope && (
        <Experiments {...props} hasResult={experiment !== null} onResult={setExperiment} />
      )}
    </article>
  );
}

export function cellOf(row: RawRow, column: string): RawCell {
  return row.cells[column] ?? { stored: null, opened: null };
}

function envelopeOf(stored: string | null): Envelope | null {
  const bytes = stored === null ? null : fromBase64(stored);
  return bytes && parseEnvelope(bytes);
}

interface ExperimentsProps extends EncryptedCellProps {
  readonly hasResult: boolean;
  readonly onResult: (experiment: Experiment | null) => void;
}

function Experiments({
  table,
  row,
  below,
  column,
  hasResult,
  onResult,
}: ExperimentsProps): JSX.Element {
  const action = useAction();
  const flip = async (): Promise<void> => {
    onResult({ kind: "flip", result: await api.flipByte(table.name, row.id, column) });
  };
  const swap = async (other: RawRow): Promise<void> => {
    onResult({ kind: "swap", result: await api.swapRows(table.name, row.id, other.id, column) });
  };
  const canSwap = below !== null && cellOf(below, column).stored !== null;
  return (
    <div class="cell-actions">
      <Button icon="flip" kind="quiet" isBusy={action.isBusy} onClick={() => action.run(flip)}>
        Flip one byte
      </Button>
      {canSwap && (
        <Button
          icon="swap"
          kind="quiet"
          isBusy={action.isBusy}
          onClick={() => action.run(() => swap(below))}
        >
          Swap with the row below
        </Button>
      )}
      {hasResult && (
        <Button icon="undo" kind="quiet" onClick={() => onResult(null)}>
          Show as stored
        </Button>
      )}
    </div>
  );
}

interface StoredProps {
  readonly text: string | null;
  readonly original: Uint8Array | null;
}

function Stored({ text, original }: StoredProps): JSX.Element {
  if (text === null) return <em class="null">NULL</em>;
  const envelope = envelopeOf(text);
  return envelope ? <EnvelopeBytes envelope={envelope} original={original} /> : <code>{text}</code>;
}

interface OpenedProps {
  readonly cell: RawCell;
  readonly experiment: Experiment | null;
}

function Opened({ cell, experiment }: OpenedProps): JSX.Element {
  if (experiment?.result.error)
    return <Refusal kind={experiment.kind} error={experiment.result.error} />;
  const opened = experiment ? experiment.result.opened : cell.opened;
  if (experiment && opened !== null) return <StillOpens opened={opened} />;
  if (opened !== null) return <pre class="opened">{pretty(opened)}</pre>;
  return <em class="null">{cell.stored === null ? "null" : "does not open"}</em>;
}

/** The truth about a swap: envelopes are bound to table and column, to the row only where the application does it. */
function StillOpens({ opened }: { readonly opened: string }): JSX.Element {
  return (
    <div data-testid="still-opens">
      <pre class="opened">{pretty(opened)}</pre>
      <p class="hint">
        This opens: the value is genuine, and it is still in its column. In another column it would
        not. Binding to the row is up to the application, which does it for{" "}
        <code>annotation_example.box</code>.
      </p>
    </div>
  );
}

interface RefusalProps {
  readonly kind: Experiment["kind"];
  readonly error: NonNullable<TamperResult["error"]>;
}

function Refusal({ kind, error }: RefusalProps): JSX.Element {
  return (
    <div class="refusal" role="alert" data-testid="authentication-failed">
      <p class="refusal-title">
        <Icon name="shield" /> {kind === "flip" ? "Authentication failed" : "Refused"}
      </p>
      <p>
        {kind === "flip"
          ? "One byte differs. The tag no longer fits, so nothing was decrypted."
          : "The value is genuine, but it was written for another row."}
      </p>
      <code>
        {error.code}: {error.message}
      </code>
    </div>
  );
}

/** JSON is indented; everything else is shown as it is. */
function pretty(text: string): string {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text;
  }
}
