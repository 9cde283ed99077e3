"""Bodies into signals and answers: what is taken, and which member is named when it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmhub.core.events import Answer, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.web import wire
from alarmhub.web.problems import Failed

START: dict[str, Any] = {"ref": "bed-7", "event": "start", "place": "fjall/201/sal12", "kind": "patient_call"}


def refused(body: bytes | dict[str, Any]) -> Failed:
    """What the body of a signal is refused with."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Failed) as caught:
        wire.read_signal(raw)
    assert caught.value.status == 400
    return caught.value


def taken(**changes: Any) -> wire.SignalIn:
    """A start with some members changed, decoded."""
    return wire.read_signal(json.dumps(START | changes).encode())


def test_a_start_becomes_a_signal_of_its_source() -> None:
    """Every member arrives where the core looks for it; the key is the ref; times are epoch ms."""
    signal = wire.signal_of(
        taken(
            id="e1", priority="high", text="hjälp", callback="3010", person="anna", heard=True,
            type="hjartlarm", occurred_at="2026-11-05T14:03:00.250+01:00", source="somebody else",
        ),
        "plant",
    )  # fmt: skip
    assert (signal.source, signal.event, signal.key, signal.ref) == (
        "plant",
        SignalEvent.START,
        "bed-7",
        "bed-7",
    )
    assert (signal.place, signal.kind, signal.type) == ("fjall/201/sal12", Kind.PATIENT_CALL, "hjartlarm")
    assert (signal.priority, signal.text, signal.id) == (Priority.HIGH, "hjälp", "e1")
    assert (signal.callback, signal.person, signal.heard) == ("3010", "anna", True)
    assert signal.occurred_at == 1_793_883_780_250
    assert signal.present is None


@pytest.mark.parametrize("event", ["start", "once", "update", "end", "acknowledged"])
def test_every_event_of_a_condition_is_known(event: str) -> None:
    """The events of the outer contract, each with its ref."""
    signal = wire.signal_of(taken(event=event), "plant")
    assert (signal.event, signal.ref) == (event, "bed-7")


def test_presence_needs_present_and_no_ref() -> None:
    """Presence belongs to a room, not to a condition."""
    signal = wire.signal_of(wire.read_signal(b'{"event":"presence","place":"p","present":false}'), "plant")
    assert (signal.event, signal.present, signal.key) == (SignalEvent.PRESENCE, False, "")
    assert refused({"event": "presence", "place": "p"}).problem.field == "present"


@pytest.mark.parametrize("event", ["end", "acknowledged", "update"])
def test_what_follows_a_start_needs_only_its_ref(event: str) -> None:
    """A plant that resets says which condition, and need not repeat the rest."""
    assert (
        wire.signal_of(wire.read_signal(json.dumps({"ref": "r", "event": event}).encode()), "plant").ref
        == "r"
    )


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"event": "stopp"}, "event", "one of start, once, update, end, acknowledged, presence"),
        ({"event": 3}, "event", "one of start"),
        ({"kind": "fire"}, "kind", "one of patient_call, toilet_call"),
        ({"priority": "urgent"}, "priority", "one of information, low, medium, high"),
        ({"ref": ""}, "ref", "text of at least 1 characters"),
        ({"ref": 7}, "ref", "text, not a whole number"),
        ({"ref": "r" * 129}, "ref", "text of at most 128 characters"),
        ({"ref": "a\x00b"}, "ref", "text without NUL characters"),
        ({"ref": None}, "ref", "text, not null"),
        ({"place": ["a"]}, "place", "text, not a list"),
        ({"place": "p" * 257}, "place", "text of at most 256 characters"),
        ({"place": "a\x00"}, "place", "text without NUL characters"),
        ({"text": "x" * 161}, "text", "text of at most 160 characters"),
        ({"text": "a\x00b"}, "text", "text without NUL characters"),
        ({"text": {}}, "text", "text, not an object"),
        ({"id": "i" * 65}, "id", "text of at most 64 characters"),
        ({"id": ""}, "id", "text of at least 1 characters"),
        ({"type": 1.5}, "type", "text or null"),
        ({"heard": "yes"}, "heard", "true or false, not text"),
        ({"occurred_at": "yesterday"}, "occurred_at", "an RFC 3339 date and time with offset"),
        ({"occurred_at": "2026-11-05T14:03:00"}, "occurred_at", "an RFC 3339 date and time with offset"),
        ({"occurred_at": 12}, "occurred_at", "an RFC 3339 date and time with offset"),
        ({"kind": None}, "kind", "or type"),
    ],
)
def test_a_wrong_member_is_named_with_what_was_expected(
    change: dict[str, Any], field: str, expected: str
) -> None:
    """One clear answer: the member, and what should have stood there."""
    problem = refused(START | change).problem
    assert problem.field == field
    assert expected in str(problem.expected)


@pytest.mark.parametrize("member", ["ref", "event", "place", "kind"])
def test_a_missing_member_is_named(member: str) -> None:
    """What a start must have."""
    body = {name: value for name, value in START.items() if name != member}
    assert refused(body).problem.field == member


def test_a_type_alone_is_enough() -> None:
    """Kind or type: the site knows the kind of its types."""
    body = {name: value for name, value in START.items() if name != "kind"} | {"type": "hjartlarm"}
    assert wire.signal_of(wire.read_signal(json.dumps(body).encode()), "plant").type == "hjartlarm"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"start"', b"1", b"\xff\xfe", b'{"event":"end","ref":"r"}x',
        b"{'event':'start'}",
        b'{"event":"start","ref":"\xff","place":"p","kind":"door"}', b"[" * 60_000,
        b'{"event":"start","ref":"r","place":"p","kind":"door","x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    """Broken, nested without end, in another encoding, or something else than an object."""
    assert refused(body).problem.type.endswith(":malformed")


@pytest.mark.parametrize("member", ["text", "ref", "place", "unheard_of"])
def test_a_lone_surrogate_is_refused_by_the_member_that_holds_it(member: str) -> None:
    r"""JSON can say "\ud800", no database can store it."""
    body = json.dumps(START | {member: "LONE"}).replace("LONE", r"a\ud83dz").encode()
    assert refused(body).problem.field == member


def test_a_surrogate_pair_is_a_character() -> None:
    """What is a whole character is taken, and unknown members are ignored."""
    body = json.dumps(START | {"text": "PAIR", "colour": 3}).replace("PAIR", r"\ud83d\ude91").encode()
    assert wire.read_signal(body).text == "🚑"


def test_control_characters_become_spaces() -> None:
    """A phone shows one line; letters of any language stay."""
    assert wire.signal_of(taken(text="sal 12\r\nplats\t2\x07 åäö"), "plant").text == "sal 12  plats 2  åäö"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise_anything_but_a_refusal(body: bytes) -> None:
    """Peers are hostile: whatever comes is a signal or a 400."""
    for read in (wire.read_signal, wire.read_answer):
        try:
            read(body)
        except Failed as failed:
            assert failed.status == 400


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from([*START, "id", "text", "occurred_at", "present", "type", "priority"]), _JSON
    )
)
def test_every_refused_object_names_a_member(changes: dict[str, Any]) -> None:
    """Whatever is wrong with an object, the answer says where."""
    try:
        wire.read_signal(json.dumps(START | changes).encode())
    except Failed as failed:
        assert failed.problem.field in {*START, *changes, "present"}


def test_an_answer_is_read_and_its_faults_are_named() -> None:
    """Answer, revision and req are required; the reason is bounded text."""
    answer = wire.read_answer(b'{"answer":"decline","rev":3,"req":"q1","reason":"in theatre"}')
    assert (answer.answer, answer.rev, answer.req, answer.reason) == (Answer.DECLINE, 3, "q1", "in theatre")
    for body, field in [
        (b'{"rev":3,"req":"q"}', "answer"),
        (b'{"answer":"shrug","rev":3,"req":"q"}', "answer"),
        (b'{"answer":"accept","rev":-1,"req":"q"}', "rev"),
        (b'{"answer":"accept","rev":"3","req":"q"}', "rev"),
        (b'{"answer":"accept","rev":99999999999999999999999,"req":"q"}', "rev"),
        (b'{"answer":"accept","rev":3}', "req"),
    ]:
        with pytest.raises(Failed) as caught:
            wire.read_answer(body)
        assert caught.value.problem.field == field
