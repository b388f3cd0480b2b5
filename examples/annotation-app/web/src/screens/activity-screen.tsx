import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { ActivityEntry, ActivityPage } from "../data/contract.ts";
import { counted, day, time } from "../data/format.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Empty, Failed, Skeleton } from "../ui/states.tsx";
import { asError, useRemote } from "../ui/use-remote.ts";

export function ActivityScreen(): JSX.Element {
  const log = useRemote<ActivityPage>("activity", () => api.activity(null));
  const [problem, setProblem] = useState<Error | null>(null);
  const entries = log.value?.entries ?? [];
  const broken = entries.filter((entry) => !entry.isIntact).length;
  const more = async (): Promise<void> => {
    if (!log.value) return;
    try {
      const older = await api.activity(log.value.nextBefore);
      log.replace({ ...older, entries: [...log.value.entries, ...older.entries] });
      setProblem(null);
    } catch (error) {
      setProblem(asError(error));
    }
  };
  return (
    <div class="page">
      <header class="page-header">
        <div>
          <h1>Activity</h1>
          <p class="hint">
            Who saw and changed what. The details are stored encrypted, each entry seals the one
            before.
          </p>
        </div>
        <span class={broken > 0 ? "chain is-broken" : "chain"}>
          <Icon name={broken > 0 ? "alert" : "shield"} />
          {broken > 0
            ? `${counted(broken, "entry", "entries")} altered or missing before`
            : "Chain intact"}
        </span>
        <Button icon="clock" onClick={log.reload}>
          Refresh
        </Button>
      </header>
      {log.error && <Failed title="The log did not load" error={log.error} onRetry={log.reload} />}
      {!log.value && !log.error && <Skeleton lines={12} />}
      {log.value && entries.length === 0 && (
        <Empty icon="activity" title="Nothing has happened yet" />
      )}
      {entries.length > 0 && <ActivityTable entries={entries} />}
      {problem && (
        <p class="form-problem" role="alert">
          {problem.message}
        </p>
      )}
      {log.value !== null && log.value.nextBefore !== null && (
        <Button onClick={() => void more()}>Show older</Button>
      )}
    </div>
  );
}

function ActivityTable({ entries }: { readonly entries: readonly ActivityEntry[] }): JSX.Element {
  return (
    <div class="table-frame">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">Action</th>
            <th scope="col">Detail</th>
            <th scope="col">Chain</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.id} class={entry.isIntact ? undefined : "is-broken"}>
              <td class="nowrap">
                {time(entry.at)} <span class="faint">{day(entry.at)}</span>
              </td>
              <td>{entry.user}</td>
              <td>
                <code class="action">{entry.action}</code>
              </td>
              <td>{entry.detail}</td>
              <td>
                <Icon name={entry.isIntact ? "check" : "alert"} />
                <span class="visually-hidden">{entry.isIntact ? "Intact" : "Broken"}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
