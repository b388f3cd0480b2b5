import type { ComponentChildren, JSX } from "preact";
import { Icon } from "../ui/icon.tsx";
import { PageHeader } from "../ui/page-header.tsx";
import { ImportCard } from "./import-card.tsx";

interface TransferScreenProps {
  readonly canEdit: boolean;
  readonly onImported: () => void;
}

export function TransferScreen({ canEdit, onImported }: TransferScreenProps): JSX.Element {
  return (
    <div class="page">
      <PageHeader
        title="Import & export"
        hint="An export decrypts every label and box. It is written to the activity log with your name."
      />
      <div class="cards">
        <ExportCard title="COCO" file="annotations.json" href="/api/export/coco">
          One JSON file with <code>images</code>, <code>annotations</code> and{" "}
          <code>categories</code>. Boxes are <code>[x, y, width, height]</code> in pixels.
        </ExportCard>
        <ExportCard title="YOLO" file="yolo.zip" href="/api/export/yolo">
          One text file per frame with <code>class cx cy w h</code>, as shares of the picture, and a{" "}
          <code>data.yaml</code> with the names.
        </ExportCard>
      </div>
      <ImportCard canEdit={canEdit} onImported={onImported} />
    </div>
  );
}

interface ExportCardProps {
  readonly title: string;
  readonly file: string;
  readonly href: string;
  readonly children: ComponentChildren;
}

function ExportCard({ title, file, href, children }: ExportCardProps): JSX.Element {
  return (
    <section class="card">
      <h2>
        <Icon name="download" /> Export {title}
      </h2>
      <p>{children}</p>
      <a class="button" href={href} download={file} data-testid={`export-${title.toLowerCase()}`}>
        <Icon name="download" />
        <span>Download {file}</span>
      </a>
    </section>
  );
}
