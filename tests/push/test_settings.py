"""What a provider's settings say against themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from alarmhub.push.settings import ApnsSettings, FcmSettings, WebPushSettings
from alarmhub.secret import Secret


def test_a_key_needs_its_id_its_team_and_its_topic() -> None:
    """Each missing one is named."""
    assert ApnsSettings(key=Secret("k"), key_id="K").faults() == [
        "team_id: missing; required with key_file or key",
        "topic: missing; required with key_file or key",
    ]
    assert ApnsSettings(key=Secret("k"), key_id="K", team_id="T", topic="t").faults() == []


def test_one_credential_is_enough(tmp_path: Path) -> None:
    """Of two nobody knows which counts."""
    file = tmp_path / "f"
    file.touch()
    [fault] = FcmSettings(service_account_file=str(file), service_account=Secret("{}")).faults()
    assert fault == "service_account: service_account_file is set too; expected one of them"
    named = {"key_id": "K", "team_id": "T", "topic": "t"}
    [fault] = ApnsSettings(key_file=str(file), key=Secret("k"), **named).faults()
    assert fault == "key: key_file is set too; expected one of them"


def test_a_file_that_is_not_there_is_named() -> None:
    """Before the first alarm needs it."""
    assert FcmSettings(service_account_file="/nowhere/f").faults() == ["service_account_file: no such file"]
    assert WebPushSettings(ca_file="/nowhere/f").faults() == ["ca_file: no such file"]


@pytest.mark.parametrize(
    "endpoint", ["https://push.example", "https://push.example:2197/", "http://127.0.0.1:1", "http://[::1]:1"]
)
def test_an_endpoint_has_tls_or_is_on_this_machine(endpoint: str) -> None:
    """A secret never goes over a network in the clear."""
    assert FcmSettings(endpoint=endpoint).faults() == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example", "http://10.0.0.1", "push.example", "https://", "https://h/path", "https://h?q",
        "https://u:p@h", "https://h:0", "https://h:70000", "ftp://h", "https://[::1", "http://127.0.0.1.example",
    ],
)  # fmt: skip
def test_any_other_endpoint_is_refused(endpoint: str) -> None:
    """With what was expected."""
    [fault] = ApnsSettings(endpoint=endpoint).faults()
    assert fault.startswith("endpoint: expected https://HOST")


@pytest.mark.parametrize("host", ["push.example", "*.push.example", "a-b.push.example"])
def test_push_hosts_are_names(host: str) -> None:
    """With a star for what is below."""
    assert WebPushSettings(hosts=(host,)).faults() == []


@pytest.mark.parametrize(
    "host", ["*", "*.example.*", "https://push.example", "Push.Example", "push..example", ""]
)
def test_what_is_no_name_is_refused(host: str) -> None:
    """A star alone would allow every host of the network."""
    [fault] = WebPushSettings(hosts=(host,)).faults()
    assert fault.startswith("hosts: expected names like push.example")
