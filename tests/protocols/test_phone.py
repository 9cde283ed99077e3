"""The phone's frames: every one of the contract, every way to get one wrong, and nothing that raises."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.phone import (
    MAX_FRAME_BYTES,
    AlarmFrame,
    AlarmPersonal,
    AlarmShared,
    AnswerFrame,
    Availability,
    Beat,
    BeatAnswer,
    Fault,
    Gone,
    Hello,
    Rang,
    Result,
    Seen,
    State,
    Status,
    Synced,
    Welcome,
    Why,
    alarm_payload,
    clean,
    decode,
    decode_hub,
    encode,
    refusal,
)

ANSWERS = ["accept", "decline", "release", "attend", "done", "help", "extend", "take_over", "hold", "safe"]


def frame(**fields: Any) -> bytes:
    """A phone's frame as any JSON library would write it."""
    return json.dumps(fields).encode()


def fault(data: bytes) -> Fault:
    """What is wrong with these bytes."""
    decoded = decode(data)
    assert isinstance(decoded, Fault)
    return decoded


def test_hello_names_token_device_app_and_features() -> None:
    """The first frame; app and features may be left out, unknown fields are ignored."""
    assert decode(frame(type="hello", token="t", device="d", app="a/1", features=["x"], later=1)) == Hello(
        token="t", device="d", app="a/1", features=["x"]
    )
    assert decode(frame(type="hello", token="t", device="d")) == Hello(token="t", device="d")


@pytest.mark.parametrize("answer", ANSWERS)
def test_each_answer_is_read(answer: str) -> None:
    """alarm, rev and req are required, a reason may come along; the answer's name is the type."""
    decoded = decode(frame(type=answer, alarm="a1", rev=3, req="r", reason="upptagen"))
    assert isinstance(decoded, AnswerFrame)
    assert (decoded.answer, decoded.alarm, decoded.rev, decoded.req) == (answer, "a1", 3, "r")
    assert decoded.clean_reason == "upptagen"


def test_receipts_availability_and_beat_are_read() -> None:
    """The rest of what a phone says."""
    assert decode(frame(type="rang", alarm="a", rev=1)) == Rang(alarm="a", rev=1)
    assert decode(frame(type="seen", alarm="a", rev=1)) == Seen(alarm="a", rev=1)
    assert decode(frame(type="availability", state="busy", req="r")) == Availability(state="busy", req="r")
    assert decode(b'{"type":"beat"}') == decode(b' { "type" : "beat", "x": 1 }') == Beat()


def test_a_status_says_what_the_phone_can_tell() -> None:
    """Everything may be left out; unknown fields are ignored."""
    assert decode(frame(type="status")) == Status()
    assert decode(
        frame(type="status", battery=14, charging=False, muted=True, volume=0, notifications="denied",
              push=True, visible=False, later=1)
    ) == Status(
        battery=14, charging=False, muted=True, volume=0, notifications="denied", push=True, visible=False
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [("battery", -1), ("battery", 101), ("battery", 0.5), ("volume", 101), ("charging", 1), ("muted", "no"),
     ("notifications", "maybe"), ("push", 0), ("visible", "yes")],
)  # fmt: skip
def test_a_status_out_of_bounds_is_a_fault_that_names_the_field(field: str, value: object) -> None:
    """And what would be right."""
    told = fault(frame(type="status", **{field: value}))
    assert (told.error, told.field) == ("invalid_field", field)
    assert told.expected
    if field == "notifications":
        assert told.expected == "granted, denied or default"


def test_state_carries_warnings_only_when_there_are_some() -> None:
    """Absent means none."""
    assert b"warnings" not in encode(State(storing=True, at=1))
    assert json.loads(encode(State(storing=True, at=1, warnings=("Ladda",))))["warnings"] == ["Ladda"]


def test_an_unknown_type_keeps_its_req() -> None:
    """So that the phone's app can tell which request was not understood."""
    assert fault(frame(type="dance", req="r9")) == Fault("unknown_type", "unknown type 'dance'", "r9")
    assert fault(frame(type="dance")).req is None


@pytest.mark.parametrize(
    ("fields", "field", "expected"),
    [
        ({"type": "accept", "alarm": "a", "rev": "3", "req": "r"}, "rev", "Expected `int`, got `str`"),
        ({"type": "accept", "alarm": "a", "req": "r"}, "rev", "required"),
        ({"type": "accept", "alarm": "a", "rev": -1, "req": "r"}, "rev", "Expected `int` >= 0"),
        ({"type": "accept", "alarm": "", "rev": 1, "req": "r"}, "alarm", "Expected `str` of length >= 1"),
        (
            {"type": "accept", "alarm": "a" * 65, "rev": 1, "req": "r"},
            "alarm",
            "Expected `str` of length <= 64",
        ),
        (
            {"type": "accept", "alarm": "a\0", "rev": 1, "req": "r"},
            "alarm",
            "text without control characters",
        ),
        ({"type": "availability", "state": "gone", "req": "r"}, "state", "available, busy or break"),
        ({"type": 7, "req": "r"}, "type", "a string"),
        ({"req": "r"}, "type", "a string"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(
    fields: dict[str, Any], field: str, expected: str
) -> None:
    """A developer of a phone app can see from the answer alone what to mend."""
    found = fault(frame(**fields))
    assert (found.error, found.field, found.expected, found.req) == ("invalid_field", field, expected, "r")
    told = refusal(found)
    assert (told.ok, told.error, told.field, told.expected, told.req) == (
        False, "invalid_field", field, expected, "r",
    )  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1]",
        b"3",
        b"null",
        b"\xff\xfe",
        b'{"type":"rang","alarm":"\\ud800","rev":1}',
        b"{}{}",
        b"[" * 9000,
    ],
)
def test_what_is_no_json_object_is_bad_json(data: bytes) -> None:
    """Also cut off, in a wrong encoding, with half a surrogate pair, or nested without end."""
    assert fault(data).error == "bad_json"


def test_a_frame_over_the_limit_is_too_big() -> None:
    """One byte under the limit is read, one byte over is not."""
    padded = frame(type="beat", x="")
    fits = frame(type="beat", x="y" * (MAX_FRAME_BYTES - len(padded)))
    assert len(fits) == MAX_FRAME_BYTES and decode(fits) == Beat()
    assert fault(fits + b" ").error == "too_big"


def test_control_characters_are_cleaned_from_reasons() -> None:
    """NUL cannot be stored, and an escape sequence has no business in somebody's terminal."""
    decoded = decode(frame(type="decline", alarm="a", rev=1, req="r", reason="i\0 rum\x1b 3\n"))
    assert isinstance(decoded, AnswerFrame) and decoded.clean_reason == "i  rum  3"
    assert clean("\x7f å ") == "å"


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: t.encode()))
@example(b'{"type":"hello","token":1e999,"device":"d"}')
@example(b'{"type":{},"req":[]}')
def test_garbage_never_raises(data: bytes) -> None:
    """Whatever comes, the answer is a frame or a fault."""
    decoded = decode(data)
    assert decoded is not None and (not isinstance(decoded, Fault) or decoded.detail)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["hello", "rang", "seen", "availability", "beat", "nonsense", *ANSWERS]),
    st.dictionaries(
        st.sampled_from(["alarm", "rev", "req", "reason", "token", "device", "state", "app"]), _JSON
    ),
)
def test_any_value_in_any_field_is_read_or_named(type: str, fields: dict[str, Any]) -> None:
    """A fault of a field says which; what is read keeps its limits."""
    decoded = decode(json.dumps({"type": type, **fields}).encode("utf-8", "surrogatepass"))
    if isinstance(decoded, Fault):
        assert decoded.error in ("bad_json", "unknown_type", "invalid_field", "too_big")
        assert decoded.error != "invalid_field" or (decoded.field and decoded.expected)
    elif isinstance(decoded, AnswerFrame):
        assert 0 < len(decoded.req) <= 64 and "\0" not in decoded.req + decoded.alarm


def _shared() -> AlarmShared:
    return AlarmShared(
        rev=2, id="a1", phase="ringing", flags=("unanswered",), kind="patient_call",
        kind_label="Patientkallelse", alarm_type="patient_call", type_label="Patientkallelse", priority="low",
        place="f/201/s/1", place_label="sal 1", text="", source_text="201-1", count=1, raised_at=5,
        accepted_by=("Bo",), next_step_at=9, callback=None, drill=False, unit="201", unit_label="Avd 201",
    )  # fmt: skip


def test_an_alarm_frame_is_the_shared_part_and_the_personal_part() -> None:
    """Spliced from two encodings it is one frame with every field of the contract, `type` first."""
    own = AlarmPersonal(why=(Why("unit", "enheten"),), can=("accept",), you="told", rings=True, turn=1, at=7)
    payload = alarm_payload(encode(_shared()), own)
    assert payload.startswith(b'{"type":"alarm",')
    whole = decode_hub(payload)
    assert isinstance(whole, AlarmFrame)
    for part in (_shared(), own):
        for name in part.__struct_fields__:
            assert getattr(whole, name) == getattr(part, name)
    assert set(AlarmFrame.__struct_fields__) == {
        *AlarmShared.__struct_fields__,
        *AlarmPersonal.__struct_fields__,
    }
    contract = (
        "rev id phase flags kind type_label priority place place_label text source_text count raised_at why "
        "can accepted_by next_step_at callback drill at"
    )
    assert set(contract.split()) <= set(json.loads(payload))


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        (
            Welcome(staff="a", beat_every=3.0, at=1),
            {"type", "staff", "beat_every", "at", "features", "name", "availability"},
        ),
        (Synced(), {"type"}),
        (Gone(id="a", rev=1, reason="taken", at=1), {"type", "id", "rev", "reason", "at", "text"}),
        (Result(ok=True, req="r"), {"type", "ok", "req"}),
        (Result(ok=False, req="r", error="not_stored", retry=True), {"type", "ok", "req", "error", "retry"}),
        (State(storing=False, at=1), {"type", "storing", "at"}),
        (BeatAnswer(at=1), {"type", "at"}),
    ],
)  # fmt: skip
def test_each_frame_of_the_hub_says_what_the_contract_says(sent: Any, fields: set[str]) -> None:
    """Names are fixed; what is not said is left out of a result."""
    payload = encode(sent)
    assert set(json.loads(payload)) == fields
    assert decode_hub(payload) == sent


def test_a_phone_is_not_told_to_trust_a_wrong_frame() -> None:
    """Reading as a phone raises: the hub is the trusted side."""
    with pytest.raises(msgspec.DecodeError):
        decode_hub(b'{"type":"surprise"}')
