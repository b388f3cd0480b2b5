import type { ComponentChildren, JSX } from "preact";

interface PageHeaderProps {
  readonly title: string;
  readonly hint: string;
  /** What stands at the right end. */
  readonly children?: ComponentChildren;
}

export function PageHeader({ title, hint, children }: PageHeaderProps): JSX.Element {
  return (
    <header class="page-header">
      <div>
        <h1>{title}</h1>
        <p class="hint">{hint}</p>
      </div>
      {children}
    </header>
  );
}
