import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { IconButton } from "./button.tsx";
import { currentTheme, setTheme } from "./theme.ts";

export function ThemeToggle(): JSX.Element {
  const [theme, setShown] = useState(currentTheme);
  const other = theme === "dark" ? "light" : "dark";
  const onClick = (): void => {
    setTheme(other);
    setShown(other);
  };
  return (
    <IconButton
      icon={theme === "dark" ? "sun" : "moon"}
      name={`Use the ${other} theme`}
      onClick={onClick}
    />
  );
}
