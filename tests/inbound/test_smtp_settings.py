"""What a mail door may be set to, and what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.inbound.smtp_settings import SmtpLink


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"listen": "here"}, "listen: "),
        ({"allow": ()}, "allow: "),
        ({"allow": ("example.org",)}, "allow[0]: "),
        ({"tls_cert_file": __file__}, "tls_key_file: "),
        ({"tls_cert_file": "/nowhere", "tls_key_file": __file__}, "tls_cert_file: no such file"),
        ({"require_tls": True}, "require_tls: "),
    ],
)
def test_settings_that_contradict_themselves(more: dict[str, Any], fault: str) -> None:
    """Each is named."""
    link = SmtpLink(**{"source": "lab", "listen": "127.0.0.1:25", **more})
    assert [found[: len(fault)] for found in link.faults()] == [fault]
    assert SmtpLink(source="lab", listen="[::1]:25").listens() == ("::1", 25)
