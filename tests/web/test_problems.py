"""Errors as problem details."""

from __future__ import annotations

import json
from http import HTTPStatus

import msgspec
import pytest

from alarmhub.web import problems
from alarmhub.web.problems import Failed, encoded, explained, invalid, later, malformed


def body(failed: Failed) -> dict[str, object]:
    """The problem as its reader sees it."""
    return json.loads(encoded(failed.problem))


def test_a_problem_says_type_title_status_and_detail() -> None:
    """RFC 9457 section 3.1; members that do not apply are absent, not null."""
    assert body(malformed("the body is not JSON")) == {
        "type": "urn:alarmhub:problem:malformed", "title": "Bad Request", "status": 400,
        "detail": "the body is not JSON", "expected": "a JSON object in UTF-8",
    }  # fmt: skip


def test_an_invalid_field_is_named() -> None:
    """The member, what was expected, and both in the sentence."""
    said = body(invalid("limit", "a whole number"))
    assert (said["field"], said["expected"], said["detail"]) == (
        "limit", "a whole number", "limit: expected a whole number",
    )  # fmt: skip


def test_later_says_when() -> None:
    """A refusal for now carries Retry-After, at least a second."""
    failed = later(HTTPStatus.SERVICE_UNAVAILABLE, "not_stored", "not now", 0)
    assert failed.headers == {"Retry-After": "1"}
    assert body(failed)["retry"] is True


def test_a_callers_own_words_are_cut_and_made_valid() -> None:
    """A member's name may be hostile: endless, or no text at all."""
    said = body(invalid("f\ud800" + "x" * 5000, "text"))
    assert len(str(said["field"])) <= 2 * problems.SHOWN_CHARS
    assert str(said["field"]).startswith("f?")


class Two(msgspec.Struct):
    """Something to decode."""

    number: int
    names: list[str] = []


@pytest.mark.parametrize(
    ("raw", "field", "expected"),
    [
        (b'{"number":"3"}', "number", "a whole number, not text"),
        (b"{}", "number", "a value"),
        (b'{"number":1,"names":[1]}', "names", "text, not a whole number"),
        (b"[]", msgspec.UNSET, "a JSON object in UTF-8"),
    ],
)
def test_the_decoders_complaint_is_put_into_words(raw: bytes, field: object, expected: str) -> None:
    """Nobody has to know the decoder to understand its complaint."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(raw, type=Two)
    problem = explained(caught.value, {}).problem
    assert (problem.field, problem.expected) == (field, expected)
