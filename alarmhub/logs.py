"""What the hub says in its log: events from a closed vocabulary, with keys, through structlog.

`Line` is the whole vocabulary; each member carries its meaning. A new thing to say is a new member, never
a free text. JSON lines when not on a terminal, coloured text on one. Secrets print as stars, long values are
cut.

It refuses to log what is not in the vocabulary: under test with an error, in service by saying
`unlisted_line` instead, because a wrong log line must never cost an alarm. It decides nothing.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Any, Final, Literal, Self, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from alarmhub.secret import STARS, Secret

LONGEST_VALUE_CHARS: Final = 500  # what a peer sends may appear in a line, but must not flood the log
LONGEST_TRACEBACK_CHARS: Final = 8000

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "text"]

_LEVEL_NUMBERS: Final[dict[Level, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Line(StrEnum):
    """The closed vocabulary: event name, and what it means when it stands in the log."""

    meaning: str

    def __new__(cls, word: str, meaning: str = "") -> Self:
        """A member is its word; the meaning is kept beside it."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member

    # The hub itself
    HUB_STARTING = "hub_starting", "The process is up and reads its settings."
    HUB_SERVING = "hub_serving", "State is loaded, the lease held, all doors open."
    HUB_STANDBY = "hub_standby", "Another process holds the lease; this one waits for it."
    HUB_STOPPING = "hub_stopping", "A stop was asked for; doors close, what is queued is still committed."
    HUB_STOPPED = "hub_stopped", "Everything is drained and closed."
    HUB_FAILED = "hub_failed", "The hub stops because it cannot go on; `cause` says why."
    SITE_LOADED = "site_loaded", "A new version of the site is in force."
    UNLISTED_LINE = "unlisted_line", "Code tried to say something outside this vocabulary (`said`): a defect."

    # Tasks, clock, loop
    TASK_DIED = "task_died", "A background task ended that must not; the hub stops."
    TASK_STUCK = "task_stuck", "A background task did not end within the deadline of a stop."
    CLOCK_JUMPED = "clock_jumped", "The hub's clock and the database's moved apart by more than 250 ms."
    LOOP_LAGGED = "loop_lagged", "The event loop was blocked for `lag_ms`."

    # Lease and database
    LEASE_TAKEN = "lease_taken", "This process is the one writer of the shard under `epoch`."
    LEASE_LOST = "lease_lost", "Another process took over; this one writes nothing any more and stops."
    DATABASE_STARTED = "database_started", "The embedded PostgreSQL runs."
    DATABASE_STOPPED = "database_stopped", "The embedded PostgreSQL was stopped."
    DATABASE_LOST = "database_lost", "Nothing can be stored at present."
    DATABASE_BACK = "database_back", "Storing works again after `lost_ms`."
    MIGRATION_APPLIED = "migration_applied", "The schema was brought one step forward."
    EVENT_QUARANTINED = "event_quarantined", "An event could not be stored or decided and was set aside."

    # Alarms
    DECIDED = "decided", "One event of one alarm was decided and committed: old and new phase, reasons."
    DECIDE_FAILED = "decide_failed", "Deciding raised; the fixed fallback went to the last resort."
    DEADLINE_LATE = "deadline_late", "A deadline was decided later than it should have been."
    SIGNAL_REFUSED = "signal_refused", "A source's signal was not taken; `reason` says why."
    QUEUE_FULL = "queue_full", "The queue of events is full; the lowest new starts are refused."
    RESTART_GRACE = "restart_grace", "Phones seen lately count as `recent`: a restart, or many dropped."

    # Effects
    EFFECT_SENT = "effect_sent", "A report, push or page was taken by its receiver."
    EFFECT_RETRIED = "effect_retried", "A report, push or page failed and will be tried again."
    EFFECT_GIVEN_UP = "effect_given_up", "A report, push or page was given up; the alarm is told."

    # Push
    PUSH_TARGET_DEAD = "push_target_dead", "A phone's push address (`transport`) is dead and was forgotten."
    PUSH_FAILED = "push_failed", "One way of a push raised inside the hub: a defect; the others went on."
    PUSH_REFUSED = "push_refused", "A push provider refuses us: credentials or settings are wrong."
    PUSH_CONNECTED = "push_connected", "A connection to a push provider is open and kept open."
    PUSH_DISCONNECTED = "push_disconnected", "A connection to a push provider ended; it is opened again."
    PUSH_UNREACHABLE = "push_unreachable", "A push provider cannot be reached; `cause` says why. Tried again."

    # Sources
    LISTENING = "listening", "A door is open at `address`."
    SOURCE_CONNECTED = "source_connected", "A source's link opened."
    SOURCE_CLOSED = "source_closed", "A source's link closed; `cause` says why."
    SOURCE_FAULT = "source_fault", "A source sent something its protocol forbids."
    SOURCE_HABIT = "source_habit", "What a source does where its protocol leaves room; `habit` says it."
    SOURCE_DOWN = "source_down", "A source has been silent for its whole down time."
    SOURCE_UP = "source_up", "A source that was down has been stable for its whole up time."

    # Trials
    TRIAL_ENDED = "trial_ended", "A test, maintenance window or walk test (`trial`, `key`) is over."

    # Drills
    DRILL_ENDED = "drill_ended", "A drill of a unit's phones is over: how many ways were good, how many red."

    # Phones
    PHONE_ENROLLED = "phone_enrolled", "A phone was enrolled; `staff` carries it, `by` asked for it."
    PHONE_CARRIED = "phone_carried", "A phone is carried by `staff` from now on, and was by `was`."
    PHONE_REVOKED = "phone_revoked", "A phone's secret was revoked: lost, or out of use."
    PHONE_CONNECTED = "phone_connected", "A device said hello with a valid token."
    PHONE_CLOSED = "phone_closed", "A device's socket closed; `code` and `cause` say why."
    PHONE_REFUSED = "phone_refused", "A device was turned away before or at hello."
    PHONE_FAULT = "phone_fault", "A device sent a frame that could not be used."
    VIEW_FAILED = "view_failed", "An alarm could not be rendered for a phone; it got the bare facts instead."
    UNIT_SILENT = "unit_silent", "Half of a unit's phones vanished within 30 s."
    UNIT_BACK = "unit_back", "More than half of a silent unit's phones have been back for 2 min."
    PHONES_DROPPED = "phones_dropped", "More than a fifth of the phones dropped within 5 s."

    # People who sign in
    SIGNED_IN = "signed_in", "Somebody (`staff`) proved who they are; `method` says how."
    SIGN_IN_REFUSED = "sign_in_refused", "Somebody could not; `reason` says why. Never what was typed."
    ACCOUNT_CHANGED = "account_changed", "An account (`staff`) was added, reset, disabled: `change`, `by`."

    # Boards
    BOARD_FAILED = "board_failed", "The board of `unit` could not be rendered; it keeps its last picture."
    BOARD_SLOW = "board_slow", "Who follows the board of `unit` took no frame in time and was let go."

    # Text messages
    NUMBER_IGNORED = "number_ignored", "A number sent many wrong codes and is not heard until `until`."

    # HTTP
    REQUEST_FAILED = "request_failed", "A request raised inside the hub; the caller got 500."
    REQUEST_REFUSED = "request_refused", "A request was refused; `status` and `reason` say how."


class Log:
    """Says lines of the vocabulary. Immutable: `bind` returns a new one with more keys."""

    __slots__ = ("_bound",)

    def __init__(self, bound: Any) -> None:
        self._bound = bound

    def bind(self, **keys: object) -> Log:
        """A log whose every line also carries these keys."""
        return Log(self._bound.bind(**keys))

    def debug(self, line: Line, /, **keys: object) -> None:
        """For somebody who looks for a fault; off by default, and then it costs next to nothing."""
        if says_debug():
            self._say("debug", line, keys)

    def info(self, line: Line, /, **keys: object) -> None:
        """Something happened as it should."""
        self._say("info", line, keys)

    def warning(self, line: Line, /, **keys: object) -> None:
        """Something happened that an engineer should know of; the hub coped."""
        self._say("warning", line, keys)

    def error(self, line: Line, /, *, exc: BaseException | None = None, **keys: object) -> None:
        """The hub could not do what it should. `exc` adds the exception with its traceback."""
        if exc is not None:
            keys["exc_info"] = exc
        self._say("error", line, keys)

    def _say(self, level: str, line: Line, keys: dict[str, object]) -> None:
        try:
            word = Line(line).value
        except ValueError:
            if _house["strict"]:
                raise UnlistedLine(f"not in the vocabulary of alarmhub.logs.Line: {line!r}") from None
            level, word, keys = "error", Line.UNLISTED_LINE.value, {"said": str(line), **keys}
        for reserved in ("event", "level", "at"):
            if reserved in keys:
                keys[f"{reserved}_"] = keys.pop(reserved)
        getattr(self._bound, level)(word, **keys)


class UnlistedLine(ValueError):
    """Only under test: code said something that is not in the vocabulary."""


_house: Final[dict[str, bool]] = {"strict": False, "debug": True}


def says_debug() -> bool:
    """Whether lines for fault-finding are said; what they would tell need not be gathered otherwise."""
    return _house["debug"]


def get(area: str, **keys: object) -> Log:
    """The log of one part of the hub (`area`: engine, gateway, espa …). May be called before `configure`."""
    return Log(structlog.get_logger(area=area, **keys))


def configure(
    *, level: Level = "info", format: Format = "auto", stream: TextIO | None = None, strict: bool = False
) -> None:
    """Set how the whole process logs, to `stream` (default: standard error, so that results of commands stay
    alone on standard output). `strict` makes an unlisted line an error; tests set it."""
    out = sys.stderr if stream is None else stream
    as_text = format == "text" or (format == "auto" and out.isatty())
    structlog.configure(
        processors=[*_shared_processors(), *(_text_processors(out) if as_text else _json_processors())],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVEL_NUMBERS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        # Loggers are made when modules are imported, before the settings are known.
        cache_logger_on_first_use=False,
    )
    _house["strict"] = strict
    _house["debug"] = level == "debug"


def _shared_processors() -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _presentable,
    ]


def _json_processors() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        _cut_traceback,
        structlog.processors.JSONRenderer(serializer=_to_json),
    ]


def _text_processors(out: TextIO) -> list[Processor]:
    return [structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="at")]


def _presentable(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    """Secrets become stars; bytes become text; what a peer made long is cut."""
    for key, value in entry.items():
        if isinstance(value, Secret):
            entry[key] = STARS
        elif isinstance(value, bytes):
            entry[key] = value[:LONGEST_VALUE_CHARS].decode("latin-1")
        elif isinstance(value, str) and len(value) > LONGEST_VALUE_CHARS:
            entry[key] = value[:LONGEST_VALUE_CHARS] + "…"
    return entry


def _cut_traceback(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    text = entry.get("exception")
    if isinstance(text, str) and len(text) > LONGEST_TRACEBACK_CHARS:
        entry["exception"] = "…" + text[-LONGEST_TRACEBACK_CHARS:]
    return entry


def _to_json(entry: object, **_options: object) -> str:
    try:
        return msgspec.json.encode(entry, enc_hook=str).decode()
    except (TypeError, ValueError, UnicodeError):
        # A lone surrogate or an odd key must not silence the line.
        pairs = entry.items() if isinstance(entry, dict) else [("entry", entry)]
        return msgspec.json.encode({_encodable(key): _encodable(value) for key, value in pairs}).decode()


def _encodable(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()
