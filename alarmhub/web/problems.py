"""Errors for callers: RFC 9457 problem details, one clear sentence each, naming the field where there is one.

Every error body this server sends is built here, those for broken HTTP included. It refuses to leak: no
text of an exception, no secret and no other tenant's data enters a problem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

PROBLEM_JSON: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:alarmhub:problem:"
SHOWN_CHARS: Final = 200
"""How much of a caller's own words an error repeats at most."""


class Colleague(Struct, frozen=True, kw_only=True):
    """A person who could be named."""

    staff: str
    name: str


class InHand(Struct, frozen=True, kw_only=True):
    """An alarm somebody has taken."""

    alarm: str
    place_label: str
    type_label: str


class Problem(Struct, frozen=True, kw_only=True):
    """RFC 9457 section 3.1, with extension members.

    `field`: which member or parameter is wrong. `expected`: what it should be. `error`: a name from a closed
    list for programs. `retry`: whether the same request may succeed later. `alarms`, `candidates`: where
    somebody must be named first, what for, and who could be; `holder`: whose alarms they are.
    """

    type: str
    title: str
    status: int
    detail: str
    field: str | UnsetType = UNSET
    expected: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    retry: bool | UnsetType = UNSET
    alarms: tuple[InHand, ...] | UnsetType = UNSET
    candidates: tuple[Colleague, ...] | UnsetType = UNSET
    holder: Colleague | UnsetType = UNSET


class Failed(Exception):
    """Ends a request with a problem. `headers` go out with it (Allow, Retry-After, WWW-Authenticate)."""

    def __init__(
        self,
        status: HTTPStatus,
        name: str,
        detail: str,
        *,
        field: str | None = None,
        expected: str | None = None,
        error: str | None = None,
        retry: bool | None = None,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
        alarms: tuple[InHand, ...] | UnsetType = UNSET,
        candidates: tuple[Colleague, ...] | UnsetType = UNSET,
        holder: Colleague | UnsetType = UNSET,
    ) -> None:
        super().__init__(name)
        self.status = status
        self.headers = headers or {}
        self.close = close
        self.problem = Problem(
            type=TYPE_PREFIX + name,
            title=status.phrase,
            status=status,
            detail=_clean(detail),
            field=UNSET if field is None else _clean(field),
            expected=UNSET if expected is None else expected,
            error=UNSET if error is None else error,
            retry=UNSET if retry is None else retry,
            alarms=alarms,
            candidates=candidates,
            holder=holder,
        )


def invalid(field: str, expected: str, detail: str = "") -> Failed:
    """400: one member or parameter is wrong, and what it should be."""
    return Failed(
        HTTPStatus.BAD_REQUEST,
        "invalid",
        detail or f"{field}: expected {expected}",
        field=field,
        expected=expected,
    )


def unknown(field: str, expected: str) -> Failed:
    """409: what this member names is not in the site, or not there."""
    return Failed(
        HTTPStatus.CONFLICT, "unknown", f"{field}: expected {expected}", field=field, expected=expected
    )


def malformed(detail: str) -> Failed:
    """400: the body is not JSON of the right shape at all."""
    return Failed(HTTPStatus.BAD_REQUEST, "malformed", detail, expected="a JSON object in UTF-8")


def later(
    status: HTTPStatus, name: str, detail: str, retry_after_s: int, *, error: str | None = None
) -> Failed:
    """429 or 503: try again after so many seconds."""
    return Failed(
        status, name, detail, error=error, retry=True, headers={"Retry-After": str(max(1, retry_after_s))}
    )


_ENCODER: Final = msgspec.json.Encoder()


def encoded(problem: Problem) -> bytes:
    """The body of an error response."""
    return _ENCODER.encode(problem)


def _clean(text: str) -> str:
    """Shorten, and replace what is not valid in UTF-8 (a caller's lone surrogates)."""
    return text[: 2 * SHOWN_CHARS].encode("utf-8", "replace").decode()


_AT: Final = re.compile(r" - at `\$(?:\.(?P<path>[^`.\[]*))?(?:[^`]*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>[^`]+)`")
_MISMATCH: Final = re.compile(r"^Expected `(?P<expected>.+?)`, got `(?P<got>[^`]+)`")
_LENGTH: Final = re.compile(r"^Expected `str` of length (?P<op>[<>]=) (?P<n>\d+)")
_BOUND: Final = re.compile(r"^Expected `float` (?P<op>[<>]=?) (?P<n>[0-9.]+)")
_BOUNDS: Final = {"<=": "of at most", "<": "below", ">=": "of at least", ">": "above"}
_JSON_NAMES: Final = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "datetime": "RFC 3339 text",
    "null": "null",
}
RFC3339: Final = "an RFC 3339 date and time with offset, e.g. 2026-11-05T14:03:00Z"
NO_NUL: Final = "text without NUL characters"


def explained(error: msgspec.ValidationError, expected: Mapping[str, str]) -> Failed:
    """Turn the decoder's complaint into the field's name and what was expected there.

    `expected`: by member name, what to say there instead of what the decoder knows.
    """
    text = str(error)
    missing = _MISSING.match(text)
    if missing:
        field = missing["field"]
        return invalid(field, expected.get(field, "a value"), f"{field} is required")
    at = _AT.search(text)
    field = (at["path"] or "") if at is not None else ""
    if at is None or not field:
        return malformed("the body must be a JSON object")
    return invalid(field, expected.get(field) or _expected(text[: at.start()]))


def _expected(complaint: str) -> str:
    if "RFC3339" in complaint or "datetime" in complaint:
        return RFC3339
    if "matching regex" in complaint:
        return NO_NUL
    length = _LENGTH.match(complaint)
    if length:
        most = "at most" if length["op"] == "<=" else "at least"
        return f"text of {most} {length['n']} characters"
    bound = _BOUND.match(complaint)
    if bound:
        return f"a number {_BOUNDS[bound['op']]} {float(bound['n']):g}"
    mismatch = _MISMATCH.match(complaint)
    if mismatch:
        names = [_JSON_NAMES.get(part, part) for part in mismatch["expected"].split(" | ")]
        got = _JSON_NAMES.get(mismatch["got"], mismatch["got"])
        return f"{' or '.join(names)}, not {got}"
    return complaint[:SHOWN_CHARS].replace("`", "").removeprefix("Expected ")
