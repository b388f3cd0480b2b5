import type { JSX } from "preact";
import type { FrameFilter } from "../data/api.ts";
import type { Catalogue, LabelSearch } from "../data/contract.ts";
import { counted } from "../data/format.ts";
import { Icon } from "../ui/icon.tsx";

export const NO_FILTER: FrameFilter = { label: "", camera: "", from: "", to: "", state: "" };

export function isFiltering(filter: FrameFilter): boolean {
  return Object.values(filter).some((value) => value !== "");
}

const REVIEW_STATES = [
  ["", "All"],
  ["unreviewed", "To do"],
  ["reviewed", "Reviewed"],
] as const;

interface FrameFilterBarProps {
  readonly filter: FrameFilter;
  readonly catalogue: Catalogue;
  readonly onChange: (filter: FrameFilter) => void;
}

export function FrameFilterBar({ filter, catalogue, onChange }: FrameFilterBarProps): JSX.Element {
  const change = (fields: Partial<FrameFilter>): void => onChange({ ...filter, ...fields });
  return (
    <form
      class="filter"
      autocomplete="off"
      aria-label="Filter frames"
      onSubmit={(event) => event.preventDefault()}
    >
      <div class="filter-row">
        <Choice
          name="Label"
          all="All labels"
          value={filter.label}
          options={catalogue.labels}
          onChange={(label) => change({ label })}
        />
        <Choice
          name="Camera"
          all="All cameras"
          value={filter.camera}
          options={catalogue.cameras}
          onChange={(camera) => change({ camera })}
        />
      </div>
      <div class="filter-row">
        <DayField
          name="From"
          value={filter.from}
          catalogue={catalogue}
          onChange={(from) => change({ from })}
        />
        <DayField
          name="To"
          value={filter.to}
          catalogue={catalogue}
          onChange={(to) => change({ to })}
        />
      </div>
      <ReviewSegments state={filter.state} onChange={(state) => change({ state })} />
    </form>
  );
}

interface ReviewSegmentsProps {
  readonly state: FrameFilter["state"];
  readonly onChange: (state: FrameFilter["state"]) => void;
}

function ReviewSegments({ state, onChange }: ReviewSegmentsProps): JSX.Element {
  return (
    <div class="segments" role="group" aria-label="Review state">
      {REVIEW_STATES.map(([value, name]) => (
        <button
          key={value}
          type="button"
          aria-pressed={state === value}
          onClick={() => onChange(value)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

interface ChoiceProps {
  readonly name: string;
  readonly all: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly onChange: (value: string) => void;
}

function Choice({ name, all, value, options, onChange }: ChoiceProps): JSX.Element {
  return (
    <select
      aria-label={name}
      class={value === "" ? "field" : "field is-set"}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      <option value="">{all}</option>
      {options.map((option) => (
        <option key={option} value={option}>
          {option}
        </option>
      ))}
    </select>
  );
}

interface DayFieldProps {
  readonly name: string;
  readonly value: string;
  readonly catalogue: Catalogue;
  readonly onChange: (value: string) => void;
}

function DayField({ name, value, catalogue, onChange }: DayFieldProps): JSX.Element {
  return (
    <label class="day-field">
      <span>{name}</span>
      <input
        type="date"
        class={value === "" ? "field" : "field is-set"}
        value={value}
        min={catalogue.firstDay ?? undefined}
        max={catalogue.lastDay ?? undefined}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  );
}

/** What really went to the database instead of the label. */
export function SearchNote({
  search,
  label,
}: {
  readonly search: LabelSearch;
  readonly label: string;
}): JSX.Element {
  return (
    <div class="search-note" data-testid="search-note">
      <p class="search-note-title">
        <Icon name="lock" /> PostgreSQL was asked for
      </p>
      <code>
        {search.column} in ({search.tokens.map((token) => `\\x${token}`).join(", ")})
      </code>
      <p>
        Not for “{label}”: the word never leaves the application.
        {search.falsePositives > 0 &&
          ` ${counted(search.falsePositives, "chance match", "chance matches")} removed after decryption.`}
      </p>
    </div>
  );
}
