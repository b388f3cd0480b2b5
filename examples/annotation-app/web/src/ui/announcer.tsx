// Two live regions for the whole page, and the short notes at its lower edge. A sentence is spoken once, also when
// it repeats the one before.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

interface Note {
  readonly id: number;
  readonly text: string;
  readonly isProblem: boolean;
}

const NOTE_MS = 6_000;
let nextId = 1;
let show: (note: Note) => void = () => {};
let speak: (text: string) => void = () => {};

/** Spoken by a screen reader, shown to nobody. */
export function announce(text: string): void {
  speak(text);
}

/** Shown for a few seconds, and spoken. */
export function notify(text: string, isProblem = false): void {
  show({ id: nextId++, text, isProblem });
}

export function Announcer(): JSX.Element {
  const [spoken, setSpoken] = useState({ text: "", turn: 0 });
  const [notes, setNotes] = useState<readonly Note[]>([]);
  useEffect(() => {
    speak = (text) => setSpoken((before) => ({ text, turn: before.turn + 1 }));
    show = (note) => {
      setNotes((before) => [...before.slice(-2), note]);
      setTimeout(() => setNotes((before) => before.filter(({ id }) => id !== note.id)), NOTE_MS);
    };
  }, []);
  return (
    <>
      <div class="visually-hidden" role="status" aria-live="polite" data-testid="spoken">
        <span key={spoken.turn}>{spoken.text}</span>
      </div>
      <div class="notes" role="log" aria-live="polite">
        {notes.map((note) => (
          <p key={note.id} class={note.isProblem ? "note is-problem" : "note"}>
            <Icon name={note.isProblem ? "alert" : "check"} />
            {note.text}
          </p>
        ))}
      </div>
    </>
  );
}
