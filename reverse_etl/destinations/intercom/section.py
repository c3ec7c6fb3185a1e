"""The section of a sync to Intercom: contacts or companies, what identifies them, and their tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.gone import GoneMax, GoneMaxRows, MayBeGone
from reverse_etl.config.intervals import IntervalOrZero
from reverse_etl.config.model import Misfit, YamlModel

_Name = Annotated[str, Field(min_length=1)]

COMPANY_ID: Final = "company_id"


class Tags(YamlModel):
    """A column with a list of tags."""

    column: _Name = Field(description="A column with a list of tags, as JSON.")
    replace: tuple[_Name, ...] = Field(
        default=(), description="A contact's other tags that begin so are taken off, such as health_."
    )


class Intercom(MayBeGone):
    """Rows are contacts or companies. A column that is no field of Intercom's own is a custom attribute of its name.

    Attributes:
        object: What a row is.
        identify_by: The column that identifies a contact; a company's is ``company_id``.
        write: ``update_only`` leaves out rows that Intercom does not have, ``add_only`` those that it has.
        archived: Whether an archived contact refuses its row, or is restored.
        empty_values: Whether NULL and '' are left out, or clear what is there.
        attributes: A JSON column whose keys are custom attributes.
        company: The column with the ``company_id`` of a contact's company.
        gone: What becomes of contacts that the query no longer returns, or whose column ``deleted`` is true.
    """

    object: Literal["contacts", "companies"] = Field(default="contacts", description="What a row is.")
    identify_by: Literal["external_id", "email", "company_id"] = Field(
        default="external_id", description="The column that identifies a contact; of companies company_id."
    )
    write: Literal["add_and_update", "update_only", "add_only"] = Field(
        default="add_and_update",
        description="update_only changes contacts that exist, add_only adds those that do not.",
    )
    archived: Literal["refuse", "restore"] = Field(
        default="refuse", description="An archived contact: refuse its row, or restore and change it."
    )
    empty_values: Literal["ignore", "clear"] = Field(
        default="ignore", description="NULL and '': left out, or what is there is cleared."
    )
    attributes: _Name | None = Field(default=None, description="A JSON column whose keys are custom attributes.")
    tags: Tags | None = Field(default=None, description="Tags of contacts.")
    company: _Name | None = Field(default=None, description="The column with the company_id of a contact's company.")
    gone: Literal["nothing", "archive", "delete"] = Field(
        default="nothing",
        description="Contacts that the query no longer returns, or whose column deleted is true: archive or delete "
        "them.",
    )
    gone_wait: IntervalOrZero = Field(
        default=timedelta(hours=24), description="How long a contact must be missing before gone applies."
    )
    gone_max: GoneMax = 5.0
    gone_max_rows: GoneMaxRows = 1_000

    @property
    def records(self) -> str:
        """Contacts or companies."""
        return self.object

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies one."""
        return (COMPANY_ID,) if self.object == "companies" else (self.identify_by,)

    @property
    def needed(self) -> tuple[str, ...]:
        """The key, and the columns that the section names."""
        named = (self.attributes, self.tags.column if self.tags else None, self.company)
        return (*self.key, *(name for name in named if name is not None))

    @property
    def apart(self) -> tuple[str, ...]:
        """The columns that the section names."""
        return self.needed[1:]

    @property
    def repeats(self) -> bool:
        """A contact or company comes once."""
        return False

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Companies have a key of their own, and less that can be done with them."""
        by = given.get("identify_by")
        if given.get("object") == "companies":
            if by not in (None, COMPANY_ID):
                yield "identify_by", "of companies is company_id"
            for key in ("write", "archived", "tags", "company", "gone"):
                if given.get(key) not in (None, "add_and_update", "refuse", "nothing"):
                    yield key, "goes with contacts: Intercom adds or updates a company by its company_id"
        elif by == COMPANY_ID:
            yield "identify_by", "company_id goes with `object: companies`"
        yield from super().misfits(given)
