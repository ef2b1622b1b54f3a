"""A screen as a picture."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme

# Rich's own frame takes its font from the internet.
FRAME = """<svg xmlns="http://www.w3.org/2000/svg"
  width="{width}" height="{height}" viewBox="0 0 {width} {height}">
  <style>
    .{unique_id}-matrix {{
      font-family: "DejaVu Sans Mono", "SF Mono", Menlo, Consolas, monospace;
      font-size: {char_height}px;
      line-height: {line_height}px;
      font-variant-east-asian: full-width;
    }}
    .{unique_id}-title {{ font-family: sans-serif; font-size: 18px; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
  </g>
</svg>
"""
THEME = TerminalTheme(
    (18, 24, 31),
    (231, 235, 239),
    [
        (30, 38, 48),
        (255, 138, 128),
        (92, 201, 139),
        (224, 168, 60),
        (108, 178, 245),
        (182, 149, 236),
        (102, 204, 204),
        (155, 166, 178),
    ],
)


def svg_of(screen: RenderableType, width: int) -> str:
    """Return a screen of so many columns as SVG."""
    console = Console(
        record=True, file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor"
    )
    console.print(screen)
    return console.export_svg(title="labctl monitor", theme=THEME, code_format=FRAME)
