"""The log: a closed vocabulary, one JSON line per event, nothing secret and nothing endless in it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from alarmhub import logs
from alarmhub.logs import Line, UnlistedLine
from alarmhub.secret import STARS, Secret


def said(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines a JSON log wrote."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.StringIO:
    """A log in service: JSON, forgiving, everything from `info` up."""
    out = io.StringIO()
    logs.configure(stream=out)
    return out


def test_a_line_is_one_json_object(stream: io.StringIO) -> None:
    """Event name, level, time, area and keys stand in one line."""
    logs.get("engine", shard="main").bind(alarm_id="a1").info(Line.DECIDED, phase="ringing")

    (line,) = said(stream)
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "decided", "level": "info", "area": "engine", "shard": "main", "alarm_id": "a1",
        "phase": "ringing",
    }  # fmt: skip


def test_bind_leaves_the_first_log_alone(stream: io.StringIO) -> None:
    """A bound log is a new one."""
    log = logs.get("engine")
    log.bind(alarm_id="a1")
    log.info(Line.HUB_SERVING)

    assert "alarm_id" not in said(stream)[0]


def test_each_level_has_its_name_and_quiet_ones_are_dropped(stream: io.StringIO) -> None:
    """`debug` is off by default; the others come through under their own level."""
    log = logs.get("engine")
    log.debug(Line.DECIDED)
    log.info(Line.DECIDED)
    log.warning(Line.DECIDED)
    log.error(Line.DECIDED)

    assert [line["level"] for line in said(stream)] == ["info", "warning", "error"]


def test_an_unlisted_line_fails_a_test() -> None:
    """Under test the vocabulary is law."""
    with pytest.raises(UnlistedLine, match="made_up"):
        logs.get("engine").info("made_up")  # type: ignore[arg-type]


def test_an_unlisted_line_costs_nothing_in_service(stream: io.StringIO) -> None:
    """In service it is said as a defect, with its keys, and nothing raises."""
    logs.get("engine").info("made_up", alarm_id="a1")  # type: ignore[arg-type]

    (line,) = said(stream)
    assert (line["event"], line["level"], line["said"], line["alarm_id"]) == (
        "unlisted_line", "error", "made_up", "a1",
    )  # fmt: skip


def test_what_only_a_fault_finder_wants_is_said_when_asked_for(stream: io.StringIO) -> None:
    """And whoever gathers it can ask before."""
    logs.get("engine").debug(Line.DECIDED)
    assert (said(stream), logs.says_debug()) == ([], False)

    logs.configure(level="debug", format="json", stream=stream)
    logs.get("engine").debug(Line.DECIDED)
    assert ([line["event"] for line in said(stream)], logs.says_debug()) == (["decided"], True)


def test_secrets_are_stars(stream: io.StringIO) -> None:
    """A secret stays one, also inside a list."""
    logs.get("web").info(Line.HUB_STARTING, dsn=Secret("hemligt"), all=[Secret("hemligt")])

    assert "hemligt" not in stream.getvalue()
    assert said(stream)[0]["dsn"] == STARS


def test_what_a_peer_made_long_is_cut(stream: io.StringIO) -> None:
    """A megabyte of text or bytes becomes a short value."""
    logs.get("espa").warning(Line.SOURCE_FAULT, text="å" * 1_000_000, block=b"\x01" * 1_000_000)

    assert len(stream.getvalue()) < 8 * logs.LONGEST_VALUE_CHARS


@pytest.mark.parametrize("odd", ["\ud800", "a\nb", "\x1b[2J", object(), {1: object()}, float("nan")])
def test_no_value_breaks_a_line(stream: io.StringIO, odd: object) -> None:
    """Surrogates, line breaks, terminal codes and strange objects still give exactly one JSON line."""
    logs.get("espa").warning(Line.SOURCE_FAULT, odd=odd)

    (line,) = said(stream)
    assert line["event"] == "source_fault"
    assert "\x1b" not in stream.getvalue()


def test_reserved_keys_step_aside(stream: io.StringIO) -> None:
    """A key that the line itself uses gets an underscore instead of raising."""
    logs.get("engine").info(Line.DECIDED, **{"event": "Raised", "at": 5, "level": "x"})

    (line,) = said(stream)
    assert (line["event"], line["event_"], line["at_"], line["level_"]) == ("decided", "Raised", 5, "x")


def test_an_exception_comes_with_its_traceback(stream: io.StringIO) -> None:
    """Where it was raised can be read from the line; the length is bounded."""
    try:
        raise RuntimeError("kapott")
    except RuntimeError as exc:
        logs.get("tasks").error(Line.TASK_DIED, exc=exc)

    (line,) = said(stream)
    assert "test_logs.py" in line["exception"]
    assert line["exception"].endswith("RuntimeError: kapott")


def test_a_deep_traceback_is_cut(stream: io.StringIO) -> None:
    """An exception with an endless message keeps its end."""
    logs.get("tasks").error(Line.TASK_DIED, exc=RuntimeError("x" * 100_000))

    assert len(said(stream)[0]["exception"]) <= logs.LONGEST_TRACEBACK_CHARS + 1


def test_text_is_for_people() -> None:
    """With `text` a line is no JSON, and still names event and keys."""
    out = io.StringIO()
    logs.configure(format="text", stream=out)
    logs.get("engine").info(Line.HUB_SERVING, epoch=3)

    assert "hub_serving" in out.getvalue()
    assert "epoch=3" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_every_line_says_what_it_means() -> None:
    """Names are snake_case and unique; each has its meaning as a sentence."""
    assert len({line.value for line in Line}) == len(Line.__members__)
    for line in Line:
        assert line.value == line.name.lower()
        assert line.meaning.endswith("."), line
