"""One token for all, made anew after 40 minutes and never before 20."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from alarmhub.push.apns_token import KeyFault, ProviderToken
from alarmhub.push.settings import ApnsSettings
from alarmhub.secret import Secret
from tests.support.clock import ManualClock


def settings(pem: str) -> ApnsSettings:
    """With this key."""
    return ApnsSettings(key=Secret(pem), key_id="KEY1", team_id="TEAM1", topic="t")


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """As in a file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_it_is_made_anew_after_40_minutes(p8: str) -> None:
    """On both sides; its time is the hub's clock."""
    clock = ManualClock()
    token = ProviderToken(settings(p8), clock)
    first = token.header()
    clock.advance(39 * 60 + 59)
    assert token.header() == first
    clock.advance(1)
    second = token.header()

    assert second != first and token.header() == second
    claims = jwt.decode(
        second.removeprefix("bearer "),
        load_pem_private_key(p8.encode(), None).public_key(),
        algorithms=["ES256"],
        options={"verify_iat": False},
    )
    assert claims == {"iss": "TEAM1", "iat": clock.now() // 1000}


def test_one_that_apple_calls_expired_is_renewed_when_it_is_old_enough(p8: str) -> None:
    """Otherwise a new one would not help, and cost us Apple's patience."""
    clock = ManualClock()
    token = ProviderToken(settings(p8), clock)
    first = token.header()
    clock.advance(20 * 60 - 1)
    assert not token.expired() and token.header() == first
    clock.advance(1)
    assert token.expired() and token.header() != first
    assert not token.expired()


def test_a_key_file_will_do(p8: str, tmp_path: Path) -> None:
    """As Apple hands it out."""
    path = tmp_path / "k.p8"
    path.write_text(p8)
    named = {"key_file": str(path), "key_id": "K", "team_id": "T", "topic": "t"}
    assert ProviderToken(ApnsSettings(**named), ManualClock()).header().startswith("bearer ey")
    path.unlink()
    with pytest.raises(KeyFault, match=r"^key_file: No such file"):
        ProviderToken(ApnsSettings(**named), ManualClock())


def test_a_key_of_another_kind_is_refused(p8: str) -> None:
    """Apple takes P-256 only; what is no key at all is named so."""
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        with pytest.raises(KeyFault, match=r"^key: expected a key on the curve P-256"):
            ProviderToken(settings(pem(key)), ManualClock())
    for text in ("", "x", p8[:60], p8.replace("PRIVATE", "PUBLIC")):
        with pytest.raises(KeyFault, match=r"^key: expected a private key in PEM form"):
            ProviderToken(settings(text), ManualClock())
