"""A browser's subscription to Web Push, and the half of its keys that never leaves the browser.

It reads what is meant for it by RFC 8291 and 8188 alone, with nothing of the library that encrypts for it.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE = ec.SECP256R1()


def b64(data: bytes) -> str:
    """As browsers write bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def derived(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def opened(body: bytes, key: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """The one record of an `aes128gcm` body."""
    salt, id_bytes = body[:16], body[20]
    sender, record = body[21 : 21 + id_bytes], body[21 + id_bytes :]
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, sender))
    secret = derived(auth, shared, b"WebPush: info\0" + point(key.public_key()) + sender, 32)
    content_key = derived(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = derived(salt, secret, b"Content-Encoding: nonce\0", 12)
    text, mark, padding = AESGCM(content_key).decrypt(nonce, record, None).rpartition(b"\2")
    assert mark and not padding.strip(b"\0")
    return text


class Browser:
    """One subscription: its `keys` as the page sends them to the hub."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(CURVE)
        self.auth = os.urandom(16)
        self.keys = {"p256dh": b64(point(self.key.public_key())), "auth": b64(self.auth)}

    def reads(self, body: bytes) -> Any:
        """What the page's service worker gets."""
        return json.loads(opened(body, self.key, self.auth))
