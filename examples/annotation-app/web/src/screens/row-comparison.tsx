import type { JSX } from "preact";
import type { RawCell, RawRow, RawTable } from "../data/contract.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { cellOf, EncryptedCell } from "./encrypted-cell.tsx";
import { EnvelopeLegend } from "./envelope-bytes.tsx";

interface RowComparisonProps {
  readonly table: RawTable;
  readonly row: RawRow;
  readonly below: RawRow | null;
  readonly onReload: () => void;
}

export function RowComparison({ table, row, below, onReload }: RowComparisonProps): JSX.Element {
  return (
    <section class="pane pane-comparison" aria-label="Stored and opened">
      <ComparisonHead writtenBy={table.writtenBy} />
      <EnvelopeLegend />
      <div class="comparison-body">
        {table.columns.map(({ name, isEncrypted }) =>
          isEncrypted ? (
            <EncryptedCell key={name} table={table} row={row} below={below} column={name} />
          ) : (
            <PlainCell key={name} column={name} cell={cellOf(row, name)} />
          ),
        )}
      </div>
      <footer class="comparison-foot">
        <Button icon="refresh" kind="quiet" onClick={onReload}>
          Read the row again
        </Button>
        <span class="hint">
          Experiments run on a scratch copy; the stored row is never changed.
        </span>
      </footer>
    </section>
  );
}

function ComparisonHead({ writtenBy }: Pick<RawTable, "writtenBy">): JSX.Element {
  return (
    <header class="comparison-head">
      <div>
        <h2>
          <Icon name="database" /> In PostgreSQL
        </h2>
        <p class="hint">
          Read by plain SQL, past the ORM. A backup, a replica or a thief has no more than this.
        </p>
      </div>
      <div>
        <h2>
          <Icon name="unlock" /> In the application
        </h2>
        <p class="hint">The same row through {writtenBy}, with the key.</p>
      </div>
    </header>
  );
}

interface PlainCellProps {
  readonly column: string;
  readonly cell: RawCell;
}

function PlainCell({ column, cell }: PlainCellProps): JSX.Element {
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
