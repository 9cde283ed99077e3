"""Who may send: the judgement alone, without a socket."""

from __future__ import annotations

from itertools import count

import pytest

from alarmhub.inbound.sip_admission import Admission, Admitted, TurnedAway
from alarmhub.secret import Secret
from protocols.sip import Request
from protocols.sip_digest import authorization


class Door:
    """A door with one user."""

    def __init__(self) -> None:
        words = count(1)
        self.admission = Admission("alarmhub", {"luc": Secret("hemligt")}, lambda: f"n{next(words)}")

    def judge(self, now: int = 0, *proofs: str) -> Admitted | TurnedAway:
        """A MESSAGE with these Authorization values."""
        headers = tuple(("authorization", proof) for proof in proofs)
        return self.admission.judge(Request("MESSAGE", "sip:arc@x", headers), now)

    def challenged(self, now: int = 0) -> str:
        """The challenge a request without proof gets."""
        verdict = self.judge(now)
        assert isinstance(verdict, TurnedAway)
        return verdict.headers[0][1]


def proof(challenge: str, user: str = "luc", password: str = "hemligt", nc: int = 1) -> str:
    """A client's answer."""
    value = authorization(
        challenge, username=user, password=password, method="MESSAGE", uri="sip:arc@x", cnonce="c", nc=nc
    )
    assert value is not None
    return value


def test_the_first_challenge_is_no_refusal() -> None:
    """Everybody gets one; it is not counted."""
    verdict = Door().judge()
    assert isinstance(verdict, TurnedAway)
    assert (verdict.status, verdict.reason) == (401, "")
    assert verdict.headers == (
        ("www-authenticate", 'Digest realm="alarmhub", nonce="n1", algorithm=MD5, qop="auth"'),
    )


def test_who_knows_the_password_comes_in() -> None:
    """With the next count again, also beside proof for another realm."""
    door = Door()
    challenge = door.challenged()
    assert door.judge(1, proof(challenge)) == Admitted("luc")
    other = proof(challenge).replace('realm="alarmhub"', 'realm="elsewhere"')
    assert door.judge(2, other, proof(challenge, nc=2)) == Admitted("luc")


@pytest.mark.parametrize(("user", "password"), [("luc", "fel"), ("okänd", "hemligt"), ("okänd", "\0nobody")])
def test_neither_a_wrong_password_nor_an_unknown_user(user: str, password: str) -> None:
    """Both the same, and the guess at what stands for unknown users too."""
    door = Door()
    verdict = door.judge(1, proof(door.challenged(), user, password))
    assert verdict == TurnedAway(403, (), "unauthorized", "unknown user or wrong password")


def test_a_replayed_proof_is_asked_for_again() -> None:
    """As is one for a nonce whose time is over."""
    door = Door()
    challenge = door.challenged()
    door.judge(1, proof(challenge))
    for verdict in (door.judge(2, proof(challenge)), door.judge(400_000, proof(challenge, nc=2))):
        assert isinstance(verdict, TurnedAway)
        assert (verdict.status, verdict.reason) == (401, "")
        assert verdict.headers[0][1].endswith(", stale=true")


def test_basic_is_refused_and_counted() -> None:
    """With a digest challenge."""
    verdict = Door().judge(0, "Basic bHVjOmhlbWxpZ3Q=")
    assert isinstance(verdict, TurnedAway)
    assert (verdict.status, verdict.reason, verdict.cause) == (
        401, "unauthorized", "basic is not taken, only digest",
    )  # fmt: skip


def test_nobody_is_asked_without_users() -> None:
    """Where the site says so; an empty list of users lets nobody in."""
    open_door = Admission("alarmhub", None, lambda: "n")
    assert open_door.judge(Request("MESSAGE", "sip:x", ()), 0) == Admitted("")
    closed = Admission("alarmhub", {}, lambda: "n")
    assert isinstance(closed.judge(Request("MESSAGE", "sip:x", ()), 0), TurnedAway)
