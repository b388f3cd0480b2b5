import { Fragment, type JSX } from "preact";
import { HELP } from "../editor/keyboard-map.ts";
import { Dialog } from "../ui/dialog.tsx";

export function HelpSheet({ onClose }: { readonly onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Keyboard shortcuts" isWide onClose={onClose}>
      <div class="help">
        {HELP.map((group) => (
          <section key={group.title}>
            <h3>{group.title}</h3>
            <dl>
              {group.rows.map((row) => (
                <div key={row.does}>
                  <dt>
                    {row.keys.map((combination, index) => (
                      <Fragment key={combination.join("+")}>
                        {index > 0 && <span class="or">{row.isRange ? "–" : "/"}</span>}
                        {combination.map((key) => (
                          <kbd key={key}>{key}</kbd>
                        ))}
                      </Fragment>
                    ))}
                  </dt>
                  <dd>{row.does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
