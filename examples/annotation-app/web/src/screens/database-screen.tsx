// "What the database sees": the raw row as PostgreSQL holds it beside the same row as the application opens it.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { RawRow, RawTable } from "../data/contract.ts";
import { count, counted } from "../data/format.ts";
import { Empty, Failed, Skeleton } from "../ui/states.tsx";
import { useRemote } from "../ui/use-remote.ts";
import { RowComparison } from "./row-comparison.tsx";

export function DatabaseScreen(): JSX.Element {
  const tables = useRemote("tables", api.tables);
  const [chosen, setChosen] = useState<string | null>(null);
  const table = tables.value?.find(({ name }) => name === chosen) ?? tables.value?.[0] ?? null;
  return (
    <div class="workspace is-database">
      <aside class="pane pane-list" aria-label="Tables">
        <h2 class="pane-title">Tables</h2>
        {tables.error && (
          <Failed title="The tables did not load" error={tables.error} onRetry={tables.reload} />
        )}
        {tables.isLoading && !tables.value && <Skeleton lines={5} />}
        <ul class="table-list">
          {tables.value?.map((each) => (
            <TableButton
              key={each.name}
              table={each}
              isCurrent={each === table}
              onChoose={() => setChosen(each.name)}
            />
          ))}
        </ul>
      </aside>
      {table && <TableRows key={table.name} table={table} />}
    </div>
  );
}

interface TableButtonProps {
  readonly table: RawTable;
  readonly isCurrent: boolean;
  readonly onChoose: () => void;
}

function TableButton({ table, isCurrent, onChoose }: TableButtonProps): JSX.Element {
  const encrypted = table.columns.filter((column) => column.isEncrypted).length;
  return (
    <li>
      <button type="button" class="table-button" aria-pressed={isCurrent} onClick={onChoose}>
        <code>{table.name}</code>
        <span class="frame-meta">
          {count(table.rows)} rows · {encrypted} of {counted(table.columns.length, "column")}{" "}
          encrypted
        </span>
        <span class="frame-meta">written through {table.writtenBy}</span>
      </button>
    </li>
  );
}

function TableRows({ table }: { readonly table: RawTable }): JSX.Element {
  const rows = useRemote(`rows ${table.name}`, () => api.rows(table.name));
  const [chosenId, setChosenId] = useState<string | null>(null);
  const list = rows.value ?? [];
  const at = Math.max(
    0,
    list.findIndex((row) => row.id === chosenId),
  );
  const row = list[at];
  if (rows.error) {
    return (
      <NoRows>
        <Failed title="The rows did not load" error={rows.error} onRetry={rows.reload} />
      </NoRows>
    );
  }
  if (!rows.value) {
    return (
      <NoRows>
        <Skeleton lines={10} />
      </NoRows>
    );
  }
  if (!row) {
    return (
      <NoRows>
        <Empty icon="database" title={`No rows in ${table.name}`} />
      </NoRows>
    );
  }
  return (
    <>
      <RowPicker rows={list} current={row} onChoose={setChosenId} />
      <RowComparison
        key={row.id}
        table={table}
        row={row}
        below={list[at + 1] ?? null}
        onReload={rows.reload}
      />
    </>
  );
}

/** In the place of rows and comparison together. */
function NoRows({ children }: { readonly children: JSX.Element }): JSX.Element {
  return (
    <section class="pane pane-no-rows" aria-label="Rows">
      {children}
    </section>
  );
}

interface RowPickerProps {
  readonly rows: readonly RawRow[];
  readonly current: RawRow;
  readonly onChoose: (id: string) => void;
}

function RowPicker({ rows, current, onChoose }: RowPickerProps): JSX.Element {
  return (
    <aside class="pane pane-rows" aria-label="Rows">
      <h2 class="pane-title">Rows</h2>
      <ul class="row-list">
        {rows.map((row) => (
          <li key={row.id}>
            <button
              type="button"
              class="row-button"
              title={row.id}
              aria-pressed={row === current}
              onClick={() => onChoose(row.id)}
            >
              <code>{row.id}</code>
            </button>
          </li>
        ))}
      </ul>
    </aside>
  );
}
