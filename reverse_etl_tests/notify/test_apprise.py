"""Channels of services that Apprise knows, with a server of Apprise's own kind, ``json://``."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from reverse_etl.errors import AlertNotSentError, ConfigError
from reverse_etl_tests.notify.test_channels import channel, send
from reverse_etl_tests.servers.webhook import Webhook, running_webhook

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
"""One of Apprise's own services imports it."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A server, with Apprise's address of it in the environment."""
    with running_webhook() as webhook:
        monkeypatch.setenv("PAGER_URL", webhook.url.replace("http://", "json://planted-user:planted-password@"))
        yield webhook


def test_the_alert_arrives_with_its_words(service: Webhook) -> None:
    """The headline is the title, the lines are the text, and what kind of alert it is goes with them."""
    assert "" == send(channel("apprise", url="${PAGER_URL}"))
    (body,) = service.bodies
    assert ("people: 3 of 10 rows failed", "warning") == (body["title"], body["type"])
    assert body["message"].startswith("sync people: plan <free> & more.\n")
    assert body["message"].endswith("Next: reverse-etl errors people")


def test_what_is_not_taken_is_an_error_without_the_address(
    service: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal, a server that is away, an address of no service: neither message nor log has a credential."""
    caplog.set_level(logging.DEBUG)
    service.answers.append((500, {}, "planted-answer"))
    with pytest.raises(AlertNotSentError, match=r"notify\.team \(apprise\): the service did not take") as refused:
        send(channel("apprise", url="${PAGER_URL}"))
    monkeypatch.setenv("PAGER_URL", "json://planted-user:planted-password@127.0.0.1:9/")
    with pytest.raises(AlertNotSentError) as away:
        send(channel("apprise", url="${PAGER_URL}"))
    monkeypatch.setenv("PAGER_URL", "nosuchservice://planted-password")
    with pytest.raises(ConfigError, match="does not know a service by this address") as unknown:
        send(channel("apprise", url="${PAGER_URL}"))
    messages = "".join(str(caught.value) for caught in (refused, away, unknown))
    assert "planted" not in messages + caplog.text.replace("127.0.0.1", "")
