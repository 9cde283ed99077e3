"""A key pair of this installation, made once; a claim for each service, kept for six hours."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from alarmhub.push.vapid import KEY_FILE, ORIGINS_MOST, VapidClaims, VapidFault, VapidKey
from tests.support.clock import ManualClock


def test_the_pair_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """The second reader gets the same; nobody else can read it; no draft stays behind."""
    folder = tmp_path / "data"
    first = VapidKey(folder)
    assert VapidKey(folder).public == first.public
    assert [(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()] == [(KEY_FILE, 0o600)]
    point = base64.urlsafe_b64decode(first.public + "=")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def test_one_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """With what was expected; it is never replaced by a new one, which would end every subscription."""
    (tmp_path / KEY_FILE).write_text("no key")
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(VapidFault, match="expected a private key in PEM form"):
        VapidKey(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o640)
    with pytest.raises(VapidFault, match="can be read by others"):
        VapidKey(tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == "no key"
    (tmp_path / "file").touch()
    with pytest.raises(VapidFault):
        VapidKey(tmp_path / "file")


def test_a_claim_is_kept_and_renewed_long_before_it_ends(tmp_path: Path) -> None:
    """On both sides of six hours; each service has its own."""
    clock = ManualClock()
    claims = VapidClaims(VapidKey(tmp_path), "mailto:it@hospital.example", clock)
    first = claims.header("https://a.example")
    assert Vapid02.verify(first) and claims.header("https://b.example") != first
    clock.advance(6 * 3600 - 1)
    assert claims.header("https://a.example") == first
    clock.advance(1)
    assert claims.header("https://a.example") != first


def test_ever_new_services_are_forgotten(tmp_path: Path) -> None:
    """A pattern allows any number of names."""
    claims = VapidClaims(VapidKey(tmp_path), "mailto:it@hospital.example", ManualClock())
    for number in range(ORIGINS_MOST + 50):
        claims.header(f"https://{number}.push.example")
    assert len(claims._made) <= ORIGINS_MOST
