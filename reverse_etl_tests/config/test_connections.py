from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from reverse_etl.config.connections import FileConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations.customerio.workspace import WorkspaceConfig
from reverse_etl.errors import ConfigError, UnsetVariableError


def workspace(**keys: object) -> WorkspaceConfig:
    """A workspace from keys as a file has them."""
    return WorkspaceConfig.model_validate({"name": "main", "site_id": "${A}", "track_api_key": "${B}", **keys})


@pytest.mark.parametrize(
    ("region", "track", "app"),
    [
        ("us", "https://track.customer.io", "https://api.customer.io"),
        ("eu", "https://track-eu.customer.io", "https://api-eu.customer.io"),
    ],
)
def test_addresses_follow_the_region(region: str, track: str, app: str) -> None:
    """Without addresses of its own a workspace uses its region's."""
    main = workspace(region=region)

    assert (main.track_base_url(), main.app_base_url()) == (track, app)


@pytest.mark.parametrize(
    "address",
    [
        "https://proxy.internal/customerio",
        "http://localhost:8700",
        "http://127.0.0.1:8700",
        "http://127.1.2.3",
        "http://[::1]:8700",
    ],
)
def test_plain_http_is_for_this_machine(address: str) -> None:
    """Use https everywhere, http to loopback; a slash at the end is left out."""
    assert workspace(track_url=address + "/").track_base_url() == address


@pytest.mark.parametrize(
    "address",
    [
        "http://track.customer.io",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "ftp://localhost",
        "track.customer.io",
        "https://",
        "https://[broken",
        "https://host:port",
        "https://user:hunter2@track.customer.io",
    ],
)
def test_other_addresses_are_refused_when_read_and_when_resolved(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A literal is refused at once, a variable's value when a run needs it; the value is not repeated."""
    monkeypatch.setenv("TRACK_URL", address)
    behind_variable = workspace(track_url="${TRACK_URL}")

    with pytest.raises(ValidationError):
        workspace(track_url=address)
    with pytest.raises(ConfigError) as caught:
        behind_variable.track_base_url()

    assert str(caught.value).startswith("workspace main: track_url: the value of ${TRACK_URL} must ")
    assert "hunter2" not in str(caught.value)


def test_an_unset_address_is_an_unset_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The regional address does not stand in for a variable that was asked for."""
    monkeypatch.delenv("APP_URL", raising=False)

    with pytest.raises(UnsetVariableError, match="APP_URL is not set"):
        workspace(app_url="${APP_URL}").app_base_url()


def test_a_model_made_in_code_takes_ready_values() -> None:
    """Paths stay as given, texts and secrets need no file."""
    database = FileConfig(name="shop", type="sqlite", path=Path("shop.sqlite"))
    main = WorkspaceConfig(
        name="main", site_id=Secret("${A}"), track_api_key=Secret("${B}"), track_url=EnvText("http://127.0.0.1:1")
    )

    assert database.path == Path("shop.sqlite")
    assert main.track_base_url() == "http://127.0.0.1:1"


def test_models_are_frozen() -> None:
    """What was asked for does not change under a run."""
    main = workspace()

    with pytest.raises(ValidationError, match="frozen"):
        main.region = "eu"
