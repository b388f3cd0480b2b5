import type { JSX } from "preact";
import { Icon } from "../ui/icon.tsx";
import { ImportCard } from "./import-card.tsx";

interface TransferScreenProps {
  readonly canEdit: boolean;
  readonly onImported: () => void;
}

export function TransferScreen({ canEdit, onImported }: TransferScreenProps): JSX.Element {
  return (
    <div class="page">
      <header class="page-header">
        <div>
          <h1>Import &amp; export</h1>
          <p class="hint">An export decrypts. It is written to the activity log with your name.</p>
        </div>
      </header>
      <div class="cards">
        <ExportCard title="COCO" file="annotations.json" href="/api/export/coco">
          One JSON file with <code>images</code>, <code>annotations</code> and{" "}
          <code>categories</code>; boxes as <code>[x, y, width, height]</code> in pixels.
        </ExportCard>
        <ExportCard title="YOLO" file="yolo.zip" href="/api/export/yolo">
          One text file per frame with <code>class cx cy w h</code>, normalised to the image, and a{" "}
          <code>data.yaml</code> with the names.
        </ExportCard>
        <ImportCard canEdit={canEdit} onImported={onImported} />
      </div>
    </div>
  );
}

interface ExportCardProps {
  readonly title: string;
  readonly file: string;
  readonly href: string;
  readonly children: JSX.Element | readonly (JSX.Element | string)[];
}

function ExportCard({ title, file, href, children }: ExportCardProps): JSX.Element {
  return (
    <section class="card">
      <h2>
        <Icon name="download" /> Export {title}
      </h2>
      <p>{children}</p>
      <a
        class="button is-primary"
        href={href}
        download={file}
        data-testid={`export-${title.toLowerCase()}`}
      >
        <Icon name="download" />
        <span>Download {file}</span>
      </a>
    </section>
  );
}
