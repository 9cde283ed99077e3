"""Bindings of SIP addresses, with their ends."""

from __future__ import annotations

import pytest

from protocols.sip import Request
from protocols.sip_registrar import MAX_CONTACTS, Bindings, RefusedRegister, Registered

AOR = "4670000123@arc.example"


def register(
    *contacts: str, expires: str | None = None, cseq: int = 1, call_id: str = "c", aor: str = AOR
) -> Request:
    """A REGISTER with these Contact values."""
    headers = [("to", f"<sip:{aor}>"), ("call-id", call_id), ("cseq", f"{cseq} REGISTER")]
    headers += [("contact", value) for value in contacts]
    if expires is not None:
        headers.append(("expires", expires))
    return Request("REGISTER", "sip:arc.example", tuple(headers))


def done(result: Registered | RefusedRegister) -> list[str]:
    """The contacts after it."""
    assert isinstance(result, Registered), result
    return [binding.uri for binding in result.bindings]


def test_a_contact_is_bound_refreshed_and_ends() -> None:
    """For as long as it asked."""
    known = Bindings()
    assert done(known.register(register("<sip:u@10.0.0.1:5062>;expires=60"), 0)) == ["sip:u@10.0.0.1:5062"]
    binding = known.contact(AOR, 59_999)
    assert binding is not None and binding.remaining_s(1) == 60
    done(known.register(register("<sip:u@10.0.0.1:5062>", expires="90", cseq=2), 50_000))
    assert known.contact(AOR, 139_999) is not None
    assert known.contact(AOR, 140_000) is None


def test_the_newest_contact_is_the_one() -> None:
    """Of several; asking without Contact shows all."""
    known = Bindings()
    known.register(register("<sip:a@x>"), 0)
    known.register(register("<sip:b@x>", cseq=2), 1)
    assert done(known.register(register(cseq=3), 2)) == ["sip:a@x", "sip:b@x"]
    newest = known.contact(AOR, 3)
    assert newest is not None and newest.uri == "sip:b@x"


def test_bindings_are_taken_back() -> None:
    """One by expires=0, all by `*`."""
    known = Bindings()
    known.register(register("<sip:a@x>", "<sip:b@x>"), 0)
    assert done(known.register(register("<sip:b@x>;expires=0", cseq=2), 0)) == ["sip:a@x"]
    assert done(known.register(register("*", expires="0", cseq=3), 0)) == []
    assert len(known) == 0


def test_one_owner_does_not_see_or_change_anothers() -> None:
    """Who registers somebody else's address gets nobody's answers."""
    known = Bindings()
    known.register(register("<sip:right@x>"), 0, owner="luc")
    known.register(register("<sip:wrong@x>"), 1, owner="thief")
    binding = known.contact(AOR, 2, owner="luc")
    assert binding is not None and binding.uri == "sip:right@x"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (register("*"), 400),
        (register("*", "<sip:a@x>", expires="0"), 400),
        (register("<tel:+46>"), 400),
        (register("<sip:a@x>;expires=3"), 423),
        (register(*(f"<sip:{n}@x>" for n in range(MAX_CONTACTS + 1))), 400),
        (Request("REGISTER", "sip:x", (("cseq", "1 REGISTER"),)), 400),
    ],
)
def test_what_is_refused(request_: Request, status: int) -> None:
    """With the status for it."""
    refused = Bindings().register(request_, 0)
    assert isinstance(refused, RefusedRegister) and refused.status == status


def test_an_overtaken_registration_changes_nothing() -> None:
    """RFC 3261 10.3 step 7: same Call-ID, lower CSeq."""
    known = Bindings()
    known.register(register("<sip:a@x>", cseq=5), 0)
    assert isinstance(known.register(register("<sip:a@x>;expires=0", cseq=4), 1), RefusedRegister)
    assert known.contact(AOR, 2) is not None


def test_the_number_of_bindings_is_bounded() -> None:
    """Those that end first go."""
    known = Bindings(most=2)
    for number, expires in ((1, "3600"), (2, "60"), (3, "600")):
        known.register(register(f"<sip:{number}@x>", expires=expires, aor=f"u{number}@x"), 0)
    assert [known.contact(f"u{n}@x", 1) is not None for n in (1, 2, 3)] == [True, False, True]
