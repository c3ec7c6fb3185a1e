"""The README's picture of a terminal: what `reverse-etl demo` prints in its first act, as SVG and as words again."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from reverse_etl_tests.project import Project

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "demo.svg"
COLUMNS = 80
_SVG = "{http://www.w3.org/2000/svg}"
_BY_THE_CLOCK = re.compile(r"[0-9a-f]{8}(-[0-9a-f-]{27})?|\d+\.\d s|127\.0\.0\.1:\d+")


def demo_shown(folder: Path) -> str:
    """Plays the demo in an empty folder; what its first act prints in a terminal with colours, with their codes."""
    colours = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    project = Project(folder, {"REVERSE_ETL_HOME": "", "COLUMNS": str(COLUMNS), **colours})
    done = project.reverse_etl("demo", "--stop-sandbox")
    assert 0 == done.returncode, done.stderr
    first_act, _, _ = done.stdout.partition("2. The bad rows")
    return "$ reverse-etl demo\n" + first_act[: first_act.rindex("\n\n")]


def drawn(shown: str) -> str:
    """The SVG of text with colour codes; it asks for no font from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, highlight=False)
    for line in Text.from_ansi(shown).split("\n"):
        console.print(line, soft_wrap=True)
    frame = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="reverse-etl demo", code_format=frame)


def words_of(svg: str) -> list[str]:
    """The lines of a picture's text, whatever its times, run ids and port are."""
    lines: dict[float, str] = {}
    for part in ElementTree.fromstring(svg).iter(f"{_SVG}text"):  # noqa: S314 - our own file
        if "clip-path" in part.attrib:
            height = float(part.attrib["y"])
            lines[height] = lines.get(height, "") + (part.text or "").replace("\xa0", " ")
    return [_BY_THE_CLOCK.sub("…", line).rstrip() for _, line in sorted(lines.items())]
