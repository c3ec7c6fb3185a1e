"""The place that all machines share: a folder and S3 behave alike, and what goes wrong is an error in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reverse_etl.errors import ConfigError, StateError
from reverse_etl.files.storage import Storage, in_order
from reverse_etl_tests.servers.s3 import RunningS3, running_s3
from reverse_etl_tests.servers.webhook import company_tls, running_webhook


@pytest.fixture(scope="module")
def s3() -> Iterator[RunningS3]:
    """One server for these tests."""
    with running_s3() as server:
        yield server


@pytest.fixture(params=["folder", "file url", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """An empty place."""
    if request.param == "s3":
        server: RunningS3 = request.getfixturevalue("s3")
        for name, value in server.env(in_order()).items():
            monkeypatch.setenv(name, value)
        return Storage(os.environ["REVERSE_ETL_STORAGE_URL"])
    place = tmp_path / "place"
    return Storage(str(place) if request.param == "folder" else place.as_uri())


def test_files_come_back_as_they_were_put(storage: Storage, tmp_path: Path) -> None:
    """Many at once, and over older ones; here their owner alone can read them."""
    files = {f"changesets/people/{number}.bin": tmp_path / f"{number}" for number in range(20)}
    for number, path in enumerate(files.values()):
        path.write_bytes(b"old")
        storage.put({f"changesets/people/{number}.bin": path})
        path.write_bytes(bytes([number]) * 1000)
    storage.put(files)
    fetched = {name: tmp_path / "here" / "deep" / path.name for name, path in files.items()}
    storage.fetch(fetched)
    assert [path.read_bytes() for path in files.values()] == [path.read_bytes() for path in fetched.values()]
    assert {0o600} == {path.stat().st_mode & 0o777 for path in fetched.values()}
    assert sorted(f"{number}.bin" for number in range(20)) == storage.names("changesets/people")


def test_what_is_not_there_is_nothing_rather_than_an_error(storage: Storage) -> None:
    """Reading, listing and removing."""
    storage.remove("changesets/nobody")
    assert storage.read("changesets/nobody/facts.json") is None
    assert not storage.has("changesets/nobody/facts.json")
    assert [] == storage.names("changesets/nobody")
    assert [] == storage.read_all([])


def test_a_folder_goes_with_all_in_it_and_nothing_beside_it(storage: Storage) -> None:
    """A sync whose name begins with another's stays."""
    for name in ("a/one", "a/deep/two", "ab/three"):
        storage.write(name, b"x")
    storage.remove("a")
    assert ([], ["three"]) == (storage.names("a"), storage.names("ab"))
    assert storage.has("ab/three")


def test_small_files_are_read_in_the_order_of_their_names(storage: Storage) -> None:
    """As they were written."""
    names = [f"journal/{in_order()}" for _ in range(12)]
    for number, name in enumerate(names):
        storage.write(name, b"%d," % number)
    assert b"0,1,2,3,4,5,6,7,8,9,10,11," == b"".join(storage.read_all(list(reversed(names))))


def test_another_process_sees_what_changed(storage: Storage) -> None:
    """Nothing is remembered of what others may change."""
    other = Storage(storage.address("")[:-1])
    assert [] == storage.names("a")
    other.write("a/one", b"1")
    assert (["one"], b"1") == (storage.names("a"), storage.read("a/one"))
    other.write("a/one", b"2")
    assert storage.read("a/one") == b"2"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("abfs://container/folder", "adlfs"),
        ("s3://", "REVERSE_ETL_STORAGE_URL is not a usable URL"),
        ("nonsense://x", "REVERSE_ETL_STORAGE_URL is not a usable URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_explained(url: str, words: str) -> None:
    """The package to install, or the forms there are."""
    with pytest.raises(ConfigError, match="REVERSE_ETL_STORAGE_URL") as caught:
        Storage(url).names("changesets")
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_a_place_that_refuses_is_named_with_what_to_look_at(
    s3: RunningS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bucket, no server, no credentials, no folder."""
    for name, value in s3.env("x").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        StateError, match="s3://nobodys/x cannot be written: there is no such bucket or folder"
    ) as caught:
        Storage("s3://nobodys/x").write("a", b"1")
    assert "REVERSE_ETL_STORAGE_URL" in caught.value.hint
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StateError, match="s3://company/x cannot be read: EndpointConnectionError"):
        Storage("s3://company/x").read("a")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StateError, match="s3://company/x cannot be read: NoCredentialsError"):
        Storage("s3://company/x").read("a")
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be written: Not a directory"):
        Storage(str(tmp_path / "file" / "place")).write("a", b"1")


def test_a_certificate_that_is_not_trusted_is_named_with_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the company's authority the place is reached: here it answers that it takes no GET."""
    for name in ("HTTPS_PROXY", "https_proxy", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    with running_webhook(company_tls(tmp_path)) as server:
        address = f"https://{urlsplit(server.url).netloc}"
        for name, value in {**RunningS3(address).env("x"), "AWS_MAX_ATTEMPTS": "1"}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StateError, match="cannot be read: its TLS certificate is not trusted") as caught:
            Storage("s3://company/x").read("a")
        assert "AWS_CA_BUNDLE for s3://" in caught.value.hint
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "authority.pem"))
        with pytest.raises(StateError) as caught:
            Storage("s3://company/x").read("a")
        assert "certificate" not in str(caught.value)


def test_a_password_in_the_url_is_never_shown() -> None:
    """The address is in the history, in Dagster's event log and in messages."""
    storage = Storage("sftp://ann:secret@files.example.com/reverse-etl/")
    assert "sftp://ann@files.example.com/reverse-etl/failed_rows/a.csv" == storage.address("failed_rows/a.csv")
    assert "s3://company/x/a" == Storage("s3://company/x").address("a")
