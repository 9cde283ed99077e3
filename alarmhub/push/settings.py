"""What an installation sets for the push providers. Each is off until its credentials are set.

Credentials are files, or secrets from the environment. It refuses endpoints without TLS, except on this
machine (a provider under test).
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from alarmhub.secret import Secret

PUSH_HOSTS: Final = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
"""The push services of today's browsers."""

CONTACT: Final = re.compile(r"mailto:[^@\s]+@[\w-]+(\.[\w-]+)+|https://[\w-]+(\.[\w-]+)+", re.ASCII)
Text = Annotated[str, Meta(min_length=1, max_length=500)]
WithinS = Annotated[float, Meta(gt=0, le=30)]
AtOnce = Annotated[int, Meta(ge=1, le=1000)]


class ApnsSettings(Struct, frozen=True):
    """`[apns]`: Apple's push service, with a signing key (a .p8 file) of the app's developer team."""

    key_file: Text | None = None
    key: Secret | None = None
    key_id: Text | None = None
    team_id: Text | None = None
    topic: Text | None = None
    critical_alerts: bool = False
    endpoint: Text = "https://api.push.apple.com"
    ca_file: Text | None = None
    answer_within_s: WithinS = 3.0
    at_once: AtOnce = 500

    @property
    def on(self) -> bool:
        """Whether there are credentials."""
        return bool(self.key_file or self.key)

    def faults(self) -> list[str]:
        """What these settings say against themselves: "KEY: why", each."""
        faults = endpoint_faults("endpoint", self.endpoint) + _file_faults("ca_file", self.ca_file)
        faults += _file_faults("key_file", self.key_file)
        if self.key_file and self.key:
            faults.append("key: key_file is set too; expected one of them")
        named = {"key_id": self.key_id, "team_id": self.team_id, "topic": self.topic}
        if self.on:
            faults += [
                f"{key}: missing; required with key_file or key" for key, value in named.items() if not value
            ]
        elif any(named.values()):
            faults.append("key_file: missing; required with key_id, team_id and topic")
        return faults


class FcmSettings(Struct, frozen=True):
    """`[fcm]`: Firebase Cloud Messaging v1, with a service account (a JSON file) of the app's project."""

    service_account_file: Text | None = None
    service_account: Secret | None = None
    package: Text | None = None
    endpoint: Text = "https://fcm.googleapis.com"
    ca_file: Text | None = None
    answer_within_s: WithinS = 3.0
    at_once: AtOnce = 200

    @property
    def on(self) -> bool:
        """Whether there are credentials."""
        return bool(self.service_account_file or self.service_account)

    def faults(self) -> list[str]:
        """What these settings say against themselves: "KEY: why", each."""
        faults = endpoint_faults("endpoint", self.endpoint) + _file_faults("ca_file", self.ca_file)
        faults += _file_faults("service_account_file", self.service_account_file)
        if self.service_account_file and self.service_account:
            faults.append("service_account: service_account_file is set too; expected one of them")
        return faults


class WebPushSettings(Struct, frozen=True):
    """`[webpush]`: browsers' push services. `contact`: whom they may write to; its presence turns it on.

    `hosts`: the push services a browser may name ("*.push.example" = any name below push.example).
    `allow_loopback`: services on this machine too, without TLS and unlisted, for tests.
    """

    contact: Text | None = None
    hosts: tuple[Text, ...] = PUSH_HOSTS
    allow_loopback: bool = False
    ca_file: Text | None = None
    answer_within_s: WithinS = 3.0
    at_once: AtOnce = 200

    @property
    def on(self) -> bool:
        """Whether a contact is set."""
        return bool(self.contact)

    def faults(self) -> list[str]:
        """What these settings say against themselves: "KEY: why", each."""
        faults = _file_faults("ca_file", self.ca_file)
        if self.contact is not None and not CONTACT.fullmatch(self.contact):
            faults.append("contact: expected mailto:ADDRESS or https://HOST")
        for host in self.hosts:
            if not _is_pattern(host):
                faults.append(f"hosts: expected names like push.example or *.push.example, got {host!r}")
        return faults


def is_loopback(host: str) -> bool:
    """Whether this host, as written in a URL, is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def endpoint_faults(key: str, text: str, *, has_path: bool = False) -> list[str]:
    """What is wrong with a provider's address: "KEY: why". `has_path`: a whole address, not just a host."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        return [f"{key}: expected https://HOST"]
    is_host = url.path in ("", "/") and not url.query and not url.fragment
    if not host or port == 0 or "@" in url.netloc or not (is_host or has_path):
        return [f"{key}: expected https://HOST or https://HOST:PORT"]
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
        return [f"{key}: expected https://HOST; without TLS only on this machine"]
    return []


def _file_faults(key: str, path: str | None) -> list[str]:
    return [f"{key}: no such file"] if path is not None and not Path(path).is_file() else []


def _is_pattern(host: str) -> bool:
    name = host.removeprefix("*.")
    return (
        bool(name)
        and name == name.lower()
        and "." in name
        and all(label and label.replace("-", "a").isalnum() and label.isascii() for label in name.split("."))
    )
