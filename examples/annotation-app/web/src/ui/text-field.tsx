import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface TextFieldProps {
  readonly label: string;
  readonly name: string;
  readonly isSecret?: boolean;
  /** Has the focus at first. */
  readonly isInitial?: boolean;
  readonly autocomplete: "username" | "current-password";
  readonly value: string;
  readonly onInput: (value: string) => void;
}

export function TextField(props: TextFieldProps): JSX.Element {
  const { label, name, isSecret = false, isInitial = false, autocomplete, value, onInput } = props;
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isInitial) input.current?.focus();
  }, []);
  const field = {
    ref: input,
    class: "field",
    name,
    autocomplete,
    required: true,
    value,
    onInput: (event: InputEvent & { readonly currentTarget: HTMLInputElement }) =>
      onInput(event.currentTarget.value),
  };
  return (
    <label class="stacked">
      <span>{label}</span>
      {isSecret ? <input {...field} type="password" /> : <input {...field} type="text" />}
    </label>
  );
}
