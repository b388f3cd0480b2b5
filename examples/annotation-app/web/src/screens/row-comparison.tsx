import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { RawCell, RawRow, RawTable, TamperResult } from "../data/contract.ts";
import { fromBase64, parseEnvelope } from "../data/envelope.ts";
import { notify } from "../ui/announcer.tsx";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { asError } from "../ui/use-remote.ts";
import { EnvelopeBytes, EnvelopeLegend } from "./envelope-bytes.tsx";

interface RowComparisonProps {
  readonly table: RawTable;
  readonly row: RawRow;
  readonly below: RawRow | null;
  readonly onReload: () => void;
}

export interface Experiment {
  readonly kind: "flip" | "swap";
  readonly result: TamperResult;
}

export function RowComparison({ table, row, below, onReload }: RowComparisonProps): JSX.Element {
  return (
    <section class="pane pane-comparison" aria-label="Stored and opened">
      <header class="comparison-head">
        <div>
          <h2>
            <Icon name="database" /> In PostgreSQL
          </h2>
          <p class="hint">
            Read by plain SQL, past the ORM. This is also all that a backup, a replica or a thief
            has.
          </p>
        </div>
        <div>
          <h2>
            <Icon name="unlock" /> In the application
          </h2>
          <p class="hint">The same row through {table.writtenBy}, with the key.</p>
        </div>
      </header>
      <EnvelopeLegend />
      <div class="comparison-body">
        {table.columns.map(({ name, isEncrypted }) => {
          const cell = row.cells[name] ?? { stored: null, opened: null };
          return isEncrypted ? (
            <EncryptedCell
              key={name}
              table={table}
              row={row}
              below={below}
              column={name}
              cell={cell}
            />
          ) : (
            <PlainCell key={name} column={name} cell={cell} />
          );
        })}
      </div>
      <footer class="comparison-foot">
        <Button icon="clock" kind="quiet" onClick={onReload}>
          Read the row again
        </Button>
        <span class="hint">
          Experiments run on a scratch copy; the stored row is never changed.
        </span>
      </footer>
    </section>
  );
}

function PlainCell({
  column,
  cell,
}: {
  readonly column: string;
  readonly cell: RawCell;
}): JSX.Element {
  return (
    <article class="cell is-plain">
      <h3>
        <code>{column}</code>
      </h3>
      <div class="cell-stored">
        {cell.stored === null ? <em class="null">NULL</em> : <code>{cell.stored}</code>}
      </div>
      <div class="cell-opened">
        {cell.opened === null ? <em class="null">null</em> : <span class="faint">the same</span>}
      </div>
    </article>
  );
}

interface EncryptedCellProps {
  readonly table: RawTable;
  readonly row: RawRow;
  readonly below: RawRow | null;
  readonly column: string;
  readonly cell: RawCell;
}

function EncryptedCell({ table, row, below, column, cell }: EncryptedCellProps): JSX.Element {
  const [experiment, setExperiment] = useState<Experiment | null>(null);
  const [isBusy, setBusy] = useState(false);
  const run = async (
    kind: Experiment["kind"],
    tamper: () => Promise<TamperResult>,
  ): Promise<void> => {
    setBusy(true);
    try {
      setExperiment({ kind, result: await tamper() });
    } catch (error) {
      notify(asError(error).message, true);
    }
    setBusy(false);
  };
  const stored = experiment?.result.stored ?? cell.stored;
  const bytes = stored === null ? null : fromBase64(stored);
  const envelope = bytes && parseEnvelope(bytes);
  return (
    <article
      class={experiment?.result.error ? "cell is-refused" : "cell"}
      data-testid={`cell-${column}`}
    >
      <h3>
        <code>{column}</code>
        {envelope && <span class="suite">{envelope.suite}</span>}
        {envelope && <span class="suite">key {envelope.keyId}</span>}
      </h3>
      <div class="cell-stored">
        {stored === null && <em class="null">NULL</em>}
        {stored !== null && !envelope && <code>{stored}</code>}
        {envelope && <EnvelopeBytes envelope={envelope} original={fromBase64(cell.stored ?? "")} />}
      </div>
      <div class="cell-opened">
        <Opened cell={cell} experiment={experiment} />
      </div>
      {envelope && (
        <div class="cell-actions">
          <Button
            icon="flip"
            kind="quiet"
            isBusy={isBusy}
            onClick={() => void run("flip", () => api.flipByte(table.name, row.id, column))}
          >
            Flip one byte
          </Button>
          {below && (
            <Button
              icon="swap"
              kind="quiet"
              isBusy={isBusy}
              onClick={() =>
                void run("swap", () => api.swapRows(table.name, row.id, below.id, column))
              }
            >
              Swap with the row below
            </Button>
          )}
          {experiment && (
            <Button icon="undo" kind="quiet" onClick={() => setExperiment(null)}>
              Show the stored value
            </Button>
          )}
        </div>
      )}
    </article>
  );
}

function Opened({
  cell,
  experiment,
}: {
  readonly cell: RawCell;
  readonly experiment: Experiment | null;
}): JSX.Element {
  const error = experiment?.result.error;
  if (experiment && error) {
    return (
      <div class="refusal" role="alert" data-testid="authentication-failed">
        <p class="refusal-title">
          <Icon name="shield" /> Authentication failed
        </p>
        <p>
          {experiment.kind === "flip"
            ? "One byte differs. The tag no longer fits, so nothing was decrypted."
            : "The value is genuine, but it belongs to another row. Its tag covers where it was written."}
        </p>
        <code>
          {error.code}: {error.message}
        </code>
      </div>
    );
  }
  const opened = experiment ? experiment.result.opened : cell.opened;
  if (opened === null)
    return <em class="null">{cell.stored === null ? "null" : "does not open"}</em>;
  return <pre class="opened">{pretty(opened)}</pre>;
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
