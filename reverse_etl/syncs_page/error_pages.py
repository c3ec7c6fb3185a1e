"""The pages for what could not be seen or done: what is not there, what could not be done, a defect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from reverse_etl.errors import StateError
from reverse_etl.syncs_page.addresses import own
from reverse_etl.syncs_page.frame import Frame, framed, note, paragraphs
from reverse_etl.syncs_page.markup import element

if TYPE_CHECKING:
    from starlette.requests import Request


def missing(_request: Request, error: Exception) -> HTMLResponse:
    """What is not there, or not allowed."""
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (404, "")
    title = {403: "Not allowed", 404: "Not found"}.get(status, "Not possible")
    said = note("problem", paragraphs(detail))
    return framed(Frame(title, up=(("Syncs", own("/")),), status=status), said)


def defect(_request: Request, _error: Exception) -> HTMLResponse:
    """A defect, which cannot be mended on the page; the server prints the details where it runs."""
    said = note(
        "problem", paragraphs("This is a defect of reverse-etl: the terminal in which it runs has the details.")
    )
    return framed(Frame("A defect", up=(("Syncs", own("/")),), status=500), said)


def failed(_request: Request, error: Exception) -> HTMLResponse:
    """What could not be seen or done, and the next step."""
    status = 503 if isinstance(error, StateError) else 409
    title = "The state cannot be read" if status == 503 else "This could not be done"
    retry = element("p", element("a", "Try again", href=""))
    return framed(
        Frame(title, up=(("Syncs", own("/")),), status=status), note("problem", paragraphs(str(error))), retry
    )
