"""Each kind of channel against a real server: what arrives, and the error when it does not."""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from reverse_etl.config.notify import ChannelConfig
from reverse_etl.errors import AlertNotSentError, UnsetVariableError
from reverse_etl.notify.alert import Alert, Kind, ReasonCount
from reverse_etl.plugins import load, names
from reverse_etl.report import Counts
from reverse_etl_tests.destinations.scripted import dripping_server
from reverse_etl_tests.notify.test_decide import NOON
from reverse_etl_tests.servers.forward_proxy import running_proxy
from reverse_etl_tests.servers.smtp import PASSWORD, USER, SmtpServer, running_smtp
from reverse_etl_tests.servers.webhook import Webhook, company_tls, running_webhook

CHANNELS = "reverse_etl.notify.channels"
ALERT = Alert(
    kind=Kind.SOME_ROWS_FAILED,
    sync="people",
    workspace="main",
    headline="people: 3 of 10 rows failed",
    message="sync people: plan <free> & more.",
    next="reverse-etl errors people",
    status="some_rows_failed",
    run_id="12345678-aaaa",
    started_at=NOON,
    streams={"rows": Counts(10, 7, 3)},
    reasons=(ReasonCount("email_valid", 3),),
)


def channel(kind: str, **keys: Any) -> Any:
    """A channel from keys as a file has them."""
    return load(CHANNELS, kind).Config.model_validate({"name": "team", "type": kind, **keys})


def send(config: ChannelConfig) -> str:
    """Sends the alert."""
    warning: str = load(CHANNELS, config.type).send(config, ALERT)
    return warning


def mail(server: SmtpServer, **keys: Any) -> Any:
    """A channel to the SMTP server."""
    usual = {
        "host": "localhost",
        "port": server.port,
        "ca_file": str(server.ca_file),
        "user": USER,
        "password": "${SMTP_PASSWORD}",
        "from": "reverse-etl@example.com",
        "to": ["ann@example.com", "${SECOND}"],
    }
    return channel("email", **{key: value for key, value in {**usual, **keys}.items() if value is not None})


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    monkeypatch.setenv("SECOND", "bob@example.com")


def test_every_kind_has_what_the_registry_names() -> None:
    """Config with its own type, and send."""
    assert {"email", "slack", "webhook"} <= set(names(CHANNELS))
    for kind in names(CHANNELS):
        module = load(CHANNELS, kind)
        assert issubclass(module.Config, ChannelConfig)
        assert module.Config.model_fields["type"].default == kind
        assert callable(module.send)


def test_slack_gets_one_text_with_its_three_characters_escaped(webhook: Webhook) -> None:
    """The headline is bold; &, < and > are written as Slack asks for."""
    assert "" == send(channel("slack", url="${WEBHOOK_URL}"))
    ((path, headers, body),) = webhook.posts
    assert ("/services/planted-address", "application/json") == (path, headers["content-type"])
    assert {"text"} == body.keys()
    assert body["text"].startswith("*people: 3 of 10 rows failed*\nsync people: plan &lt;free&gt; &amp; more.\n")
    assert body["text"].endswith("Reasons: email_valid (3)\nRun 12345678 of 2026-01-05 12:00 UTC\n" + (
        "Next: reverse-etl errors people"
    ))  # fmt: skip


def test_a_webhook_gets_json_with_the_token(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key of the documented form, and the token as a bearer's."""
    monkeypatch.setenv("WEBHOOK_TOKEN", "planted-token")
    send(channel("webhook", url="${WEBHOOK_URL}", token="${WEBHOOK_TOKEN}"))
    ((_, headers, body),) = webhook.posts
    assert "Bearer planted-token" == headers["authorization"]
    assert {
        "version": 1,
        "kind": "some_rows_failed",
        "sync": "people",
        "workspace": "main",
        "headline": "people: 3 of 10 rows failed",
        "message": "sync people: plan <free> & more.",
        "next": "reverse-etl errors people",
        "status": "some_rows_failed",
        "run_id": "12345678-aaaa",
        "started_at": "2026-01-05T12:00:00Z",
        "rows": {
            "extracted": 10,
            "delivered": 7,
            "rejected": 3,
            "refused": 0,
            "excluded": 0,
            "undelivered": 0,
            "unchanged": 0,
        },
        "relationships": dict.fromkeys(body["rows"], 0),
        "reasons": [{"reason": "email_valid", "rows": 3}],
        "target": "",
    } == body


def test_a_webhook_with_a_secret_is_signed(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the time and the body as it arrives, so that neither can be another's; without a secret nothing is."""
    monkeypatch.setenv("SIGNING_SECRET", "planted-secret\n")
    began_at = int(time.time())
    send(channel("webhook", url="${WEBHOOK_URL}", secret="${SIGNING_SECRET}"))
    send(channel("webhook", url="${WEBHOOK_URL}"))
    (_, headers, _), (_, bare, _) = webhook.posts
    at, body = headers["x-reverse-etl-timestamp"], webhook.raw[0]
    assert began_at <= int(at) <= time.time()
    expected = hmac.new(b"planted-secret", at.encode() + b"." + body, "sha256").hexdigest()
    assert f"v1={expected}" == headers["x-reverse-etl-signature"]
    assert "x-reverse-etl-signature" not in bare
    assert "planted" not in repr(headers)


def test_a_secret_signs_byte_for_byte(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random bytes are a secret like any other; the line end of a mounted file is no part of it."""
    monkeypatch.setattr("os.environ", {"WEBHOOK_URL": webhook.url, "HOOK": os.fsdecode(b"\xff\xfe\r\n")})
    send(channel("webhook", url="${WEBHOOK_URL}", secret="${HOOK}"))
    ((_, headers, _),) = webhook.posts
    at = headers["x-reverse-etl-timestamp"]
    expected = hmac.new(b"\xff\xfe", at.encode() + b"." + webhook.raw[0], "sha256").hexdigest()
    assert f"v1={expected}" == headers["x-reverse-etl-signature"]


@pytest.mark.parametrize("kind", ["slack", "webhook"])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {}, "no_service"), "HTTP 404 (no_service)"),
        ((500, {}, "the text that was sent: planted"), "HTTP 500."),
        ((302, {"location": "http://127.0.0.1:9/"}, ""), "HTTP 302"),
        ((307, {"location": "javascript:planted"}, ""), "HTTP 307"),
        ((308, {"location": "https://xn--/planted"}, ""), "HTTP 308"),
        ((301, {"location": "http://exa\x01mple/planted"}, ""), "HTTP 301"),
    ],
)
def test_an_answer_that_is_no_success_is_an_error_in_words(
    kind: str, answer: tuple[int, dict[str, str], str], said: str, webhook: Webhook
) -> None:
    """The channel and the status, a word of Slack's, never the address or what else the server says."""
    webhook.answers.append(answer)
    with pytest.raises(AlertNotSentError) as caught:
        send(channel(kind, url="${WEBHOOK_URL}"))
    assert said in str(caught.value)
    assert f"notify.team ({kind})" in str(caught.value)
    assert "planted" not in str(caught.value)
    assert 1 == len(webhook.posts)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://hooks.example.com/planted", "must start with https://"),
        ("https://user:planted@hooks.example.com/", "must not contain a user name"),
        ("hooks.example.com/planted", "must be an address like https://hooks.example.com/..."),
        ("http://127.0.0.1:9/planted", "cannot be reached (ConnectError)"),
        ("http://127.0.0.1:9/\x00planted", "cannot be reached (InvalidURL)"),
    ],
)
def test_an_address_that_cannot_be_used_is_not_shown(address: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http is for this machine only; the error names the variable."""
    # The environment cannot hold a NUL, so the address comes from a variable with one only in this process.
    monkeypatch.setattr("os.environ", {"WEBHOOK_URL": address})
    with pytest.raises(AlertNotSentError) as caught:
        send(channel("slack", url="${WEBHOOK_URL}"))
    assert said in str(caught.value)
    assert "${WEBHOOK_URL}" in str(caught.value)
    assert "planted" not in str(caught.value)


def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every other connection."""
    monkeypatch.delenv("WEBHOOK_URL", raising=False)
    with pytest.raises(UnsetVariableError, match="WEBHOOK_URL is not set"):
        send(channel("webhook", url="${WEBHOOK_URL}"))


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_goes_out_encrypted_to_everybody_after_a_login(tls: str) -> None:
    """Subject, text, sender and both recipients arrive; the session is encrypted and logged in."""
    with running_smtp(tls=tls) as server:
        assert "" == send(mail(server, tls=tls))
    ((sender, recipients, message),) = server.mails
    assert ("reverse-etl@example.com", ["ann@example.com", "bob@example.com"]) == (sender, recipients)
    assert "people: 3 of 10 rows failed" == message["subject"]
    text = message.get_content().splitlines()
    assert ["sync people: plan <free> & more.", "10 rows read, 7 delivered, 3 rejected"] == text[2:4]
    assert all(message[name] for name in ("date", "message-id", "auto-submitted"))
    assert [(True, USER)] == server.logins


def test_mail_in_the_clear_is_for_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TLS to loopback; never to another machine, whatever the variable says."""
    with running_smtp(tls="disable") as server:
        send(mail(server, tls="disable", user=None, password=None, host="127.0.0.1"))
        assert [(False, "")] == server.logins
    monkeypatch.setenv("SMTP_HOST", "mail.example.com")
    with pytest.raises(AlertNotSentError, match="on this machine only"):
        send(mail(server, tls="disable", user=None, password=None, host="${SMTP_HOST}"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"ca_file": None}, "certificate was not accepted"),
        ({"host": "127.0.0.1"}, "certificate was not accepted"),
        ({"password": "${SECOND}"}, "answered with code 535"),
        ({"user": None, "password": None}, "answered with code 530"),
        ({"to": ["nobody@example.com"]}, "refused 1 of 1 recipient (code 550)"),
        ({"port": 9}, "cannot be reached (ConnectionRefusedError)"),
        ({"to": ["${BROKEN}"]}, "from or to is not an e-mail address"),
    ],
)
def test_mail_that_is_not_taken_is_an_error_in_words(
    keys: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause, never an address, a password or the server's own words."""
    monkeypatch.setenv("BROKEN", "planted@example.com\r\nBcc: planted@example.com")
    with running_smtp() as server, pytest.raises(AlertNotSentError) as caught:
        send(mail(server, **keys))
    assert said in str(caught.value)
    for secret in ("planted", "@", "wrong", "bob"):
        assert secret not in str(caught.value)
    assert [] == server.mails


def test_a_server_without_tls_gets_nothing() -> None:
    """STARTTLS is asked for and not offered: no login, no mail."""
    with running_smtp(tls="disable") as server, pytest.raises(AlertNotSentError, match="STARTTLS"):
        send(mail(server))
    assert [] == server.mails


def test_one_refused_recipient_does_not_keep_the_others_from_it() -> None:
    """The mail is sent, and not sent again; the refusal is a warning."""
    with running_smtp() as server:
        warning = send(mail(server, to=["ann@example.com", "nobody@example.com"]))
    assert [["ann@example.com"]] == [recipients for _, recipients, _ in server.mails]
    assert "notify.team (email): the SMTP server refused 1 of 2 recipients (code 550)." == warning


def test_reading_files_costs_no_http_client(tmp_path: Path) -> None:
    """Commands that only look at configuration stay fast."""
    import subprocess
    import sys

    program = (
        "import sys; from reverse_etl.plugins import load, names\n"
        f"for kind in names({CHANNELS!r}): load({CHANNELS!r}, kind)\n"
        "print([name for name in ('httpx', 'sqlalchemy', 'pyarrow') if name in sys.modules])"
    )
    assert "[]\n" == subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout


@pytest.mark.parametrize("kind", ["slack", "webhook"])
def test_a_huge_answer_is_not_read(kind: str, webhook: Webhook) -> None:
    """Its status counts, whatever follows."""
    webhook.answers += [(200, {}, "x" * 1_000_000), (500, {}, "x" * 1_000_000)]
    assert "" == send(channel(kind, url="${WEBHOOK_URL}"))
    with pytest.raises(AlertNotSentError, match=r"HTTP 500\.$"):
        send(channel(kind, url="${WEBHOOK_URL}"))


@pytest.mark.parametrize("dripping", ["head", "body"])
def test_an_answer_that_drips_is_none(dripping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the time that an alert may take in all."""
    monkeypatch.setattr("reverse_etl.notify._post.LONGEST_S", 0.3)

    async def run() -> None:
        async with dripping_server(dripping) as url:
            monkeypatch.setenv("DRIPPING_URL", url)
            with pytest.raises(AlertNotSentError, match="no whole answer within 0 s"):
                await asyncio.to_thread(send, channel("webhook", url="${DRIPPING_URL}"))

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["slack", "webhook"])
def test_alerts_go_through_the_proxy_that_the_environment_names(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``proxy: environment`` alone; its refusal is an error without address and login."""
    monkeypatch.setenv("HOOK", "https://hooks.company.invalid/planted-address")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with running_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://planted:planted@{proxy.address}")
        proxy.refuses = 407
        with pytest.raises(AlertNotSentError, match="cannot be reached"):
            send(channel(kind, url="${HOOK}"))
        assert [] == proxy.asked
        with pytest.raises(AlertNotSentError, match="the proxy of the environment answered HTTP 407") as refused:
            send(channel(kind, url="${HOOK}", proxy="environment"))
    assert ["hooks.company.invalid:443"] == proxy.asked
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize("kind", ["slack", "webhook"])
def test_alerts_trust_a_companys_authority_where_the_channel_says_so(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `ca_file`, or by SSL_CERT_FILE with `proxy: environment`; otherwise the error says what to write."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with running_webhook(company_tls(tmp_path)) as webhook:
        monkeypatch.setenv("HOOK", webhook.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        with pytest.raises(AlertNotSentError, match=r"\$\{HOOK\} is not trusted: .*`ca_file: .*`proxy: env") as told:
            send(channel(kind, url="${HOOK}"))
        assert "planted" not in str(told.value)
        assert [] == webhook.posts
        assert "" == send(channel(kind, url="${HOOK}", proxy="environment"))
        monkeypatch.delenv("SSL_CERT_FILE")
        assert "" == send(channel(kind, url="${HOOK}", ca_file=tmp_path / "authority.pem"))
        assert 2 == len(webhook.posts)


def test_a_certificate_for_another_host_is_named_without_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is a secret, all of it."""
    with running_webhook(company_tls(tmp_path, "planted.example.com")) as webhook:
        monkeypatch.setenv("HOOK", webhook.url)
        with pytest.raises(AlertNotSentError, match=r"certificate at \$\{HOOK\} is for another host") as told:
            send(channel("webhook", url="${HOOK}", ca_file=tmp_path / "authority.pem"))
    assert not re.search(r"planted|127\.0\.0\.1", str(told.value))


def test_a_proxy_that_is_set_and_not_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the address cannot be reached without."""
    monkeypatch.setenv("HOOK", "https://hooks.company.invalid/planted")
    monkeypatch.setenv("HTTPS_PROXY", "http://planted:planted@127.0.0.1:9")
    with pytest.raises(
        AlertNotSentError, match="HTTPS_PROXY is set and not used: `proxy: environment` uses it"
    ) as told:
        send(channel("slack", url="${HOOK}"))
    assert "planted" not in str(told.value)
