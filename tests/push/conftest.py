"""Keys that nobody else has, made once."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def fresh_p8() -> str:
    """A signing key as Apple hands it out."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def fresh_rsa() -> str:
    """A service account's key as Firebase hands it out."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="session")
def p8() -> str:
    """One for all tests."""
    return fresh_p8()


@pytest.fixture(scope="session")
def rsa_key() -> str:
    """One for all tests."""
    return fresh_rsa()
