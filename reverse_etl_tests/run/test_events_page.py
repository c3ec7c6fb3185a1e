"""The recipes of the page about events are those that are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

import reverse_etl.demo

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
SHIPPED = Path(reverse_etl.demo.__file__).parent / "d2c_syncs"


@pytest.mark.parametrize("sync", ["cart_abandoned", "first_purchase_made", "refund_issued"])
def test_its_recipes_are_shipped(sync: str) -> None:
    """Word for word, in the demo's folder: there they are executed, for 21 days of the shop."""
    assert f"```yaml\n{(SHIPPED / f'{sync}.yaml').read_text()}```" in PAGE
