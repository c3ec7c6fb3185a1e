"""The note above a page while a file is faulty: what is wrong, and which syncs are left out until it is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.config.left_out import named
from reverse_etl.counted import counted
from reverse_etl.syncs_page.frame import note, paragraphs, problem_list
from reverse_etl.syncs_page.markup import Html, element, html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reverse_etl.config.left_out import LeftOut


def problems_note(problems: Sequence[str], left_out: Mapping[str, LeftOut]) -> Html:
    """Every problem of the files, a line each; nothing where there is none."""
    if not problems:
        return html()
    heading = f"{counted(len(problems), 'problem')} in the files"
    then = f"{named(left_out)} `reverse-etl validate` lists the same.".lstrip()
    return note("problem", element("h2", heading), paragraphs(then), problem_list(problems))
