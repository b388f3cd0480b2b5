import type { JSX } from "preact";
import { api } from "../data/api.ts";
import type { ActivityEntry, ActivityPage } from "../data/contract.ts";
import { counted, day, time } from "../data/format.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { PageHeader } from "../ui/page-header.tsx";
import { Empty } from "../ui/states.tsx";
import { useAction } from "../ui/use-action.ts";
import { useRemote } from "../ui/use-remote.ts";

export function ActivityScreen(): JSX.Element {
  const log = useRemote<ActivityPage>("activity", () => api.activity(null));
  const action = useAction();
  const showOlder = async (page: ActivityPage): Promise<void> => {
    const older = await api.activity(page.nextBefore);
    log.replace({ ...older, entries: [...page.entries, ...older.entries] });
  };
  return (
    <div class="page">
      <PageHeader
        title="Activity"
        hint="Who saw and changed what. The details are stored encrypted, each entry seals the one before."
      >
        {log.value && !log.error && <ChainState entries={log.value.entries} />}
        <Button icon="refresh" onClick={log.reload}>
          Refresh
        </Button>
      </PageHeader>
      <Loaded remote={log} failure="The log did not load" skeletonLines={12}>
        {(page) => (
          <>
            <ActivityTable entries={page.entries} />
            {page.nextBefore !== null && (
              <Button isBusy={action.isBusy} onClick={() => action.run(() => showOlder(page))}>
                Show older
              </Button>
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}

interface EntriesProps {
  readonly entries: readonly ActivityEntry[];
}

function ChainState({ entries }: EntriesProps): JSX.Element {
  const broken = entries.filter((entry) => !entry.isIntact).length;
  return (
    <span class={broken > 0 ? "chain is-broken" : "chain"} data-testid="chain">
      <Icon name={broken > 0 ? "alert" : "shield"} />
      {broken > 0
        ? `${counted(broken, "entry", "entries")} altered, or missing before it`
        : "Chain intact"}
    </span>
  );
}

function ActivityTable({ entries }: EntriesProps): JSX.Element {
  if (entries.length === 0) return <Empty icon="activity" title="Nothing has happened yet" />;
  return (
    <div class="table-frame">
      <table class="table is-activity">
        <thead>
          <tr>
            {["When", "Who", "Action", "Detail", "Chain"].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <ActivityRow key={entry.id} entry={entry} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Of the server's actions; one that is not here is shown by its own name. */
const ACTIONS: Readonly<Record<string, string>> = {
  "session.start": "Sign-in",
  "session.end": "Sign-out",
  "session.refused": "Sign-in refused",
  "frame.open": "Frame opened",
  "frame.save": "Frame saved",
  "frame.add": "Frame added",
  "frame.picture": "Picture taken",
  "video.add": "Clip added",
  "video.open": "Clip watched",
  "export.coco": "COCO export",
  "export.yolo": "YOLO export",
  "import.coco": "COCO import",
  "database.look": "Table read raw",
  // On a copy: what is stored stays as it is.
  "database.flip": "Flip tried",
  "database.swap": "Swap tried",
  "key.add": "Key added",
  "key.retire": "Key retired",
  "rotation.start": "Rotation started",
  "rotation.pause": "Rotation paused",
  "rotation.resume": "Rotation resumed",
};

function ActivityRow({ entry }: { readonly entry: ActivityEntry }): JSX.Element {
  return (
    <tr class={entry.isIntact ? undefined : "is-broken"}>
      <td class="nowrap">
        {time(entry.at)} <span class="faint">{day(entry.at)}</span>
      </td>
      <td>{entry.user}</td>
      <td>
        <span class="action" title={entry.action}>
          {ACTIONS[entry.action] ?? entry.action}
        </span>
      </td>
      <td class="detail">{entry.detail}</td>
      <td>
        <Icon name={entry.isIntact ? "check" : "alert"} />
        <span class="visually-hidden">{entry.isIntact ? "Intact" : "Broken"}</span>
      </td>
    </tr>
  );
}
