"""Phones of a load site get their addresses, and a browser reads what was pushed to it."""

from __future__ import annotations

import tomllib
from typing import Any

import msgspec
from pywebpush import WebPusher

from alarmhub.settings import read
from load.enrolment import TRANSPORTS, Browser, settings

PORTS = {name: 9_000 + number for number, name in enumerate(TRANSPORTS)}


def test_a_browser_reads_what_was_pushed_to_it() -> None:
    """Encrypted for its public key by another implementation's sender."""
    browser = Browser()
    sent = WebPusher({"endpoint": "http://127.0.0.1/1", "keys": browser.keys}).encode(b'{"aid":"a"}')
    assert browser.read(bytes(sent["body"])) == b'{"aid":"a"}'


def test_the_hub_takes_the_settings(tmp_path: Any) -> None:
    """All three providers are on, each at its port."""
    text = settings(PORTS)
    assert set(tomllib.loads(text)) == set(TRANSPORTS)
    path = tmp_path / "hub.toml"
    path.write_text(text)
    loaded = read(path, {})
    assert [getattr(loaded, name).on for name in TRANSPORTS] == [True] * 3
    assert msgspec.structs.asdict(loaded.fcm)["endpoint"].endswith(str(PORTS["fcm"]))
