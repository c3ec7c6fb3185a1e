"""Alerts of faulty files: each once when it begins and once when it is over, whatever else is faulty meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reverse_etl.config.folder_now import SyncsFolder
from reverse_etl.config.loader import load_project
from reverse_etl.config.notify import ChannelConfig
from reverse_etl.notify.sending import send_left_out
from reverse_etl.state.store import Store
from reverse_etl_tests.config.test_left_out import CONNECTIONS, FAULTY, MIRROR, PLAIN
from reverse_etl_tests.servers.webhook import Webhook

NOTIFY = 'notify: {team: {type: webhook, url: "${WEBHOOK_URL}"%s}}\n'
DEFAULTS = "zz: 1\n"
A = "a is left out: its own file is faulty"


@dataclass
class Told:
    """A folder of syncs, what its channel is told, and what it has heard."""

    syncs: Path
    store: Store
    webhook: Webhook
    channels: dict[str, ChannelConfig] = field(default_factory=dict)

    def now(self, **files: str | None) -> list[str]:
        """The headlines after these files were written, or removed, however often it is looked."""
        for name, text in files.items():
            path = self.syncs / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        before = len(self.webhook.bodies)
        for _ in range(2):
            assert () == send_left_out(SyncsFolder(self.syncs).read(), self.channels, store=self.store).warnings
        return sorted(body["headline"].replace(str(self.syncs), "") for body in self.webhook.bodies[before:])


def folder(tmp_path: Path, store: Store, webhook: Webhook, *, more: str = "", **files: str) -> Told:
    """A folder of these files, of which none is faulty yet."""
    told = Told(tmp_path / "syncs", store, webhook)
    told.syncs.mkdir()
    assert [] == told.now(connections=CONNECTIONS + NOTIFY % more, **files)
    told.channels = dict(load_project(told.syncs).notify)
    return told


def test_a_faulty_file_that_is_deleted_is_over(tmp_path: Path, store: Store, webhook: Webhook) -> None:
    """A new fault under its name is an alert again."""
    told = folder(tmp_path, store, webhook, a=PLAIN, b=PLAIN)
    assert [A] == told.now(a=FAULTY)
    assert ["a is no longer left out: its file is gone"] == told.now(a=None)
    assert [A] == told.now(a=FAULTY)
    assert ["a is no longer left out"] == told.now(a=PLAIN)


def test_each_shared_file_and_each_reason_of_a_syncs_own_is_an_alert(
    tmp_path: Path, store: Store, webhook: Webhook
) -> None:
    """Those of two teams, a sync of another that is faulty, too, one that takes away; each is over by itself."""
    told = folder(tmp_path, store, webhook, a=PLAIN, b=MIRROR, one__x=PLAIN, two__y=PLAIN, two__z=PLAIN)
    takes = "b is left out: could remove what x sends"
    assert ["Syncs are left out: /one/_defaults.yaml is faulty", takes] == told.now(one___defaults=DEFAULTS)
    assert ["Syncs are left out: /two/_defaults.yaml is faulty"] == told.now(two___defaults=DEFAULTS)
    assert [A] == told.now(a=FAULTY)
    assert ["y is left out: its own file is faulty"] == told.now(two__y=FAULTY)
    assert ["/one/_defaults.yaml no longer leaves syncs out"] == told.now(one___defaults=None)
    assert ["/two/_defaults.yaml no longer leaves syncs out"] == told.now(two___defaults=None)
    ended = ("a", "b", "y")
    assert [f"{name} is no longer left out" for name in ended] == told.now(a=PLAIN, two__y=PLAIN)


def test_a_sync_that_was_told_is_not_over_for_a_faulty_shared_file(
    tmp_path: Path, store: Store, webhook: Webhook
) -> None:
    """While its own fault is mended, the defaults that it reads still leave it out."""
    told = folder(tmp_path, store, webhook, b=PLAIN, one__a=PLAIN)
    assert [A] == told.now(one__a=FAULTY)
    assert ["Syncs are left out: /one/_defaults.yaml is faulty"] == told.now(one___defaults=DEFAULTS)
    assert [] == told.now(one__a=PLAIN)
    over = ["/one/_defaults.yaml no longer leaves syncs out", "a is no longer left out"]
    assert over == told.now(one___defaults=None)


def test_a_folder_that_a_file_stops_is_one_alert(tmp_path: Path, store: Store, webhook: Webhook) -> None:
    """It names the first faulty file; more of them are no news."""
    told = folder(tmp_path, store, webhook, a=PLAIN, b=PLAIN, one__x=PLAIN)
    told.now(connections=told.syncs.joinpath("connections.yaml").read_text().replace("leave_out", "stop"))
    assert ["Syncs are left out: /a.yaml is faulty"] == told.now(a=FAULTY)
    assert [] == told.now(one___defaults=DEFAULTS)
    assert [] == told.now(a=None)
    assert ["Syncs are no longer left out"] == told.now(one___defaults=None)


def test_a_folder_that_cannot_be_read_ends_nothing(tmp_path: Path, store: Store, webhook: Webhook) -> None:
    """What is not known to be gone is not over."""
    told = folder(tmp_path, store, webhook, a=PLAIN, b=PLAIN)
    assert [A] == told.now(a=FAULTY)
    told.syncs.rename(tmp_path / "away")
    assert ["Syncs are left out: the folder of the syncs is faulty"] == told.now()
    (tmp_path / "away").rename(told.syncs)
    assert ["Syncs are no longer left out"] == told.now()


@pytest.mark.parametrize(("name", "heard"), [("x", 1), ("b", 0)])
def test_a_shared_file_is_told_to_the_channels_of_its_syncs(
    tmp_path: Path, store: Store, webhook: Webhook, name: str, heard: int
) -> None:
    """Of another team's defaults a channel hears nothing."""
    told = folder(tmp_path, store, webhook, more=f", syncs: [{name}]", b=PLAIN, one__x=PLAIN)
    assert heard == len(told.now(one___defaults=DEFAULTS))
    assert heard == len(told.now(one___defaults=None))
