"""Result pages: Markdown with figures and tables beside it, and one self-contained HTML file."""

from __future__ import annotations

import base64
import csv
import html
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 80
_COLOURS = 128

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Named columns and rows; ``None`` is a missing value, nan an undefined one."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def markdown(self) -> str:
        """Return a pipe table."""
        lines = [_row(self.columns), "|" + "---|" * len(self.columns)]
        return "\n".join(lines + [_row(_text(cell) for cell in row) for row in self.rows])

    def csv(self) -> str:
        """Return the table with floats to four places."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([f"{c:.4f}" if isinstance(c, float) else c for c in row] for row in self.rows)
        return text.getvalue()


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(cell: Cell) -> str:
    if cell is None or cell != cell:
        return "–"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


@dataclass(frozen=True)
class Report:
    """A Markdown page, its figures by file name, and its tables.

    Attributes
    ----------
    pages
        Further Markdown pages beside it, by file name.
    """

    markdown: str
    pictures: Mapping[str, Figure]
    tables: Mapping[str, Table]
    pages: Mapping[str, str] = field(default_factory=dict)


def write(report: Report, folder: Path) -> Path:
    """Write pages, pictures and tables into ``folder``; return the HTML page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"README.md": report.markdown, **report.pages}.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, table in report.tables.items():
        (folder / name).write_text(table.csv(), encoding="utf-8")
    for name, figure in report.pictures.items():
        (folder / name).write_bytes(picture_bytes(figure))
    page = folder / "index.html"
    page.write_text(to_html(report.markdown, folder), encoding="utf-8")
    return page


def picture_bytes(figure: Figure) -> bytes:
    """Return a figure as PNG with an adaptive palette: a third of the bytes, visually identical."""
    from PIL import Image

    drawn, reduced = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=_DPI, format="png")
    with Image.open(drawn) as picture:
        few = picture.convert("RGB").quantize(_COLOURS, method=Image.Quantize.FASTOCTREE)
    few.save(reduced, format="png", optimize=True)
    return reduced.getvalue()


def to_html(markdown: str, folder: Path) -> str:
    """Return a self-contained HTML page with the pictures of ``folder`` embedded."""
    from markdown_it import MarkdownIt

    body = MarkdownIt().enable("table").render(markdown)

    def inside(match: re.Match[str]) -> str:
        data = base64.b64encode((folder / match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    body = re.sub(r'src="([\w-]+\.png)"', inside, body)
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    title = html.escape(markdown.split("\n", 1)[0].lstrip("# "))
    return _HTML.format(title=title, body=body)


_HTML = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 13px; margin: 1rem 0; }}
td, th {{ border-bottom: 1px solid #ccc; padding: .25rem .6rem; text-align: left; white-space: nowrap; }}
img {{ max-width: 100%; }}
code {{ background: #f3f3f3; padding: 0 .2rem; }}
</style></head><body>
{body}</body></html>
"""
