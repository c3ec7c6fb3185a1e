"""Contents between one start and the next."""

from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import httpx
import pytest

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox.customerio import operations, storage
from reverse_etl.sandbox.customerio.settings import SandboxSettings
from reverse_etl.sandbox.customerio.storage import Saver, load, save
from reverse_etl.sandbox.customerio.workspace import Workspace
from reverse_etl_tests.sandbox.conftest import TRACK, person, thing, to_object
from reverse_etl_tests.servers.sandbox import running_sandbox, wait_until


@pytest.mark.thorough
def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """People, objects, relationships, events, segments, suppressions and activities; identifiers go on."""
    path = tmp_path / "below" / "sandbox.jsonl"
    with (
        running_sandbox(data_file=path) as sandbox,
        httpx.Client(base_url=sandbox.url, auth=TRACK, trust_env=False) as track,
    ):
        items = [
            person(id="1", timestamp=50, attributes={"email": "A@example.com", "x": 1}),
            person("add_device", id="1", device={"token": "t"}),
            person(id="2", attributes={"email": "broken"}),
            thing(attributes={"name": "Acme"}, cio_relationships=[{"identifiers": {"id": "1"}}]),
            person("add_relationships", id="1", cio_relationships=[to_object(role="admin")]),
            person("event", id="1", name="bought", attributes={"n": 1}),
            {**person("event", id="9", name="left"), "id": "01HB4HBDKTFWYZCK01DMRSWRFD"},
            person("delete", id="9"),
            person("suppress", id="7"),
        ]
        digits = '{"type":"person","action":"identify","identifiers":{"id":"1"},"attributes":{"d":1.0000000000000001}}'
        assert track.post("/api/v2/batch", json={"batch": items}).status_code == 200
        assert track.post("/api/v2/batch", content=f'{{"batch":[{digits}]}}').status_code == 200
        track.post(f"/api/v1/segments/{sandbox.add_segment('Shop')}/add_customers", json={"ids": ["1"]})

        def seen() -> list[object]:
            lists = (sandbox.people, sandbox.objects, sandbox.relationships, sandbox.events, sandbox.segments)
            return [read() for read in (*lists, sandbox.suppressed, sandbox.activities)]

        same_event = {**items[-3], "identifiers": {"id": "1"}}
        before, url = seen(), sandbox.url
        sandbox.restart()
        assert (seen(), sandbox.url) == (before, url)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        track.post(
            "/api/v2/batch",
            json={"batch": [person(id="new"), same_event, person(id="1", timestamp=9, attributes={"x": 0})]},
        )
        assert [(each["cio_id"], each["attributes"].get("x")) for each in sandbox.people()] == [
            ("a3000001", 1),
            ("a3000003", None),
        ]
        assert len(sandbox.events()) == 2


@pytest.mark.thorough
def test_contents_are_saved_when_things_go_quiet(tmp_path: Path) -> None:
    """So that even a process that is killed leaves them."""
    path = tmp_path / "sandbox.jsonl"
    with running_sandbox(data_file=path) as sandbox:
        sandbox.add_segment("Shop")
        wait_until(lambda: b'"segment"' in path.read_bytes())
        sandbox.kill()
        sandbox.restart()
        assert [each["name"] for each in sandbox.segments()] == ["Shop"]


def test_a_second_ctrl_c_loses_nothing_that_was_taken(tmp_path: Path) -> None:
    """The contents are saved before the process ends, however often it is asked to."""
    path = tmp_path / "sandbox.jsonl"
    with running_sandbox(data_file=path) as sandbox:
        sandbox.add_segment("Shop")
        for _ in range(2):
            os.kill(sandbox.pid, signal.SIGINT)
            time.sleep(0.01)
        wait_until(sandbox.has_ended)
        assert b'"segment"' in path.read_bytes()


def test_saving_waits_for_quiet_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second without changes, five seconds with them, and never more than a tenth of the time."""
    workspace = Workspace(SandboxSettings())
    clock = [0.0]
    saver = Saver(workspace, tmp_path / "data", lambda: clock[0])

    def at(now: float, *, changed: bool = True) -> bool:
        clock[0] = now
        workspace.changes += changed
        return saver.save_if_due()

    assert [at(1.0, changed=False), at(2.0), at(2.4, changed=False), at(2.5, changed=False)] == [
        False,
        False,
        False,
        True,
    ]
    assert [at(3.0 + n / 4) for n in range(20)] == [*[False] * 18, True, False]

    def slow(_workspace: Workspace, _path: Path) -> None:
        clock[0] += 2.0

    monkeypatch.setattr(storage, "save", slow)
    assert [at(20.0), at(21.0, changed=False), at(30.0), at(31.0, changed=False), at(44.0, changed=False)] == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_an_interrupted_save_leaves_the_last_one(tmp_path: Path) -> None:
    """The file is whole or not there."""
    path = tmp_path / "data"
    workspace = Workspace(SandboxSettings())
    operations.apply(workspace, person(id="1"), 0)
    save(workspace, path)
    operations.apply(workspace, person(id="2", attributes={"x": object()}), 0)
    with pytest.raises(TypeError):
        save(workspace, path)
    again = Workspace(SandboxSettings())
    load(again, path)
    assert list(again.by_id) == ["1"]


@pytest.mark.parametrize(
    "content",
    [b"{", b'["format","other"]', b'["unknown"]', b'["person"]', b'["relationship","1","a","a3000001",{}]', b"7"],
)
def test_a_file_that_is_no_sandboxs_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    """It names the file, and what to do."""
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read as a sandbox's contents") as caught:
        load(Workspace(SandboxSettings()), path)
    assert str(path) in str(caught.value)
