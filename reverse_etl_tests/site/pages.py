"""The pages of the documentation, and the blocks of code on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])

_BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
        page: The page's path in the repository.
        line: Of its first line of code, from 1.
        language: As the fence says it; ``console``, ``yaml`` and so on.
        text: Without the fences.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def file(self) -> str:
        """The file that a comment on the first line names, as in ``# syncs/customers.yaml``; empty where none does."""
        named = re.match(r"# (\S+\.\w+)\n", self.text)
        return named[1] if named else ""

    @property
    def commands(self) -> list[str]:
        """The lines that a reader types, without the prompt; a line that ends with a backslash goes on."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            return [line[2:] for line in lines if line.startswith(("$ ", "# "))]
        return [line for line in lines if line.strip()] if self.language == "sh" else []


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    return [
        Block(name, text.count("\n", 0, found.start(3)) + 1, found[2].strip(), found[3])
        for found in _BLOCK.finditer(text)
    ]
