"""Digest authentication: vectors of the RFCs, and what is refused."""

from __future__ import annotations

import pytest

from protocols.sip_digest import (
    MAX_COUNT_AHEAD,
    Credentials,
    Nonces,
    NonceState,
    authorization,
    challenge,
    count_of,
    fits,
    read_credentials,
    response_for,
)

RFC2617 = {
    "username": "Mufasa",
    "realm": "testrealm@host.com",
    "password": "Circle Of Life",
    "method": "GET",
    "uri": "/dir/index.html",
    "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    "nc": "00000001",
    "cnonce": "0a4f113b",
}


def credentials(value: str) -> Credentials:
    """What a client answered."""
    read = read_credentials(value)
    assert isinstance(read, Credentials), read
    return read


def answered(
    password: str = "hemligt", nc: int = 1, realm: str = "alarmhub", nonce: str = "n1"
) -> Credentials:
    """A client's answer to our challenge."""
    value = authorization(
        challenge(realm, nonce), username="luc", password=password, method="MESSAGE",
        uri="sip:arc@x", cnonce="c", nc=nc,
    )  # fmt: skip
    assert value is not None
    return credentials(value)


def test_the_vector_of_rfc_2617() -> None:
    """Section 3.5."""
    assert response_for(**RFC2617) == "6629fae49393a05397450978507c4ef1"


def test_the_vector_of_rfc_7616() -> None:
    """Section 3.9.1, its MD5 answer."""
    assert response_for(
        username="Mufasa", realm="http-auth@example.org", password="Circle of Life", method="GET",
        uri="/dir/index.html", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    ) == "8ca523f5e9506fed4657c9700eebdbec"  # fmt: skip


def test_the_right_password_fits_and_no_other() -> None:
    """Nor the right one for another method or realm."""
    given = answered()
    assert fits(given, realm="alarmhub", password="hemligt", method="MESSAGE")
    assert not fits(given, realm="alarmhub", password="hemlig", method="MESSAGE")
    assert not fits(given, realm="alarmhub", password="hemligt", method="REGISTER")
    assert not fits(given, realm="other", password="hemligt", method="MESSAGE")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, ""),
        ("", ""),
        ("Basic bHVjOmhlbWxpZ3Q=", "basic is not taken, only digest"),
        ('Digest username="u"', "digest without realm"),
        ('Digest username="u", realm="r", nonce="n", uri="x", response="y"', "digest without qop=auth"),
        ('Digest username="u", realm="r", nonce="n", uri="x", response="y", qop=auth-int, nc=1, cnonce="c"',
         "digest without qop=auth"),
        ('Digest username="u", realm="r", nonce="n", uri="x", response="y", qop=auth, nc=0, cnonce="c"',
         "digest without qop=auth"),
        ('Digest username="u", realm="r", nonce="n", uri="x", response="y", algorithm=SHA-256',
         "digest algorithm is not MD5"),
    ],
)  # fmt: skip
def test_what_is_no_digest_of_ours(value: str | None, why: str) -> None:
    """Basic is forbidden by SS 91100; without qop an answer can be replayed."""
    assert read_credentials(value) == why


def test_quotes_in_names_survive() -> None:
    """Escaped on the way and back."""
    value = authorization(
        challenge('r"x', "n"), username='a"b\\c', password="p", method="M", uri="u", cnonce="c"
    )
    assert value is not None
    read = credentials(value)
    assert (read.username, read.realm) == ('a"b\\c', 'r"x')
    assert fits(read, realm='r"x', password="p", method="M")


def test_a_challenge_that_cannot_be_answered() -> None:
    """Other schemes, other algorithms, no qop."""
    for value in (
        "Basic realm=x",
        'Digest realm="r", nonce="n"',
        'Digest nonce="n", qop="auth", algorithm=MD5-sess',
    ):
        assert authorization(value, username="u", password="p", method="M", uri="x", cnonce="c") is None


def test_a_nonce_lives_its_time() -> None:
    """Then it is stale, as is one of another door, or of before a restart."""
    nonces = Nonces(life_ms=1_000)
    nonces.issue("n1", 0)
    assert nonces.use("n1", 1, 999) is NonceState.GOOD
    assert nonces.use("n1", 2, 1_000) is NonceState.STALE
    assert nonces.use("other", 1, 0) is NonceState.STALE


def test_a_count_is_good_once() -> None:
    """A replay is stale; counts that overtook each other are each taken."""
    nonces = Nonces()
    nonces.issue("n1", 0)
    states = [nonces.use("n1", count, 1) for count in (1, 1, 3, 2, 2, 3, 200, 136, 137, 137)]
    good, stale = NonceState.GOOD, NonceState.STALE
    assert states == [good, stale, good, good, stale, stale, good, stale, good, stale]
    assert MAX_COUNT_AHEAD == 200 - 136


def test_the_number_of_nonces_is_bounded_and_used_ones_stay() -> None:
    """Asking again and again does not push out a unit that has logged in."""
    nonces = Nonces(life_ms=10_000, most=3)
    nonces.issue("mine", 0)
    nonces.use("mine", 1, 0)
    for number in range(10):
        nonces.issue(f"n{number}", 1)
    assert len(nonces) == 3
    assert nonces.use("mine", 2, 2) is NonceState.GOOD
    nonces.issue("late", 20_000)
    assert len(nonces) == 1


def test_counts() -> None:
    """Hex, from 1."""
    assert [count_of(answered(nc=number)) for number in (1, 255)] == [1, 255]
