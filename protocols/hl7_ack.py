"""Acknowledgements of HL7 v2, both modes: what a message asks for (MSH-15, MSH-16) and the answer itself.

Enhanced mode (HL7 v2.6, 2.9.3): MSH-15 asks for a commit acknowledgement, CA, CE or CR. Where MSH-15 says
never and MSH-16 does not, one application answer AA, AE or AR is given (IHE PCD TF-2, E.3.2). Where both are
empty the original mode holds: AA, AE, AR. `ack` builds the answer, `read_ack` reads one.

It refuses to decide whether a message is taken, and to answer an acknowledgement.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct

from protocols.hl7 import Message, composed, escaped, segment, utc_text, written
from protocols.pcd04 import Problem

ERROR_WORDS: Final[dict[int, str]] = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    207: "Application internal error",
}
"""Table 0357."""
POSITIVE: Final = frozenset({"CA", "AA"})
NEGATIVE: Final = frozenset({"CE", "CR", "AE", "AR"})


class Verdict(Enum):
    """What became of a message."""

    TAKEN = "A"
    ERROR = "E"
    REJECTED = "R"


class Party(Struct, frozen=True):
    """Application (HD, raw: `name^id^type`) and facility, as MSH-3/4 or MSH-5/6."""

    application: str = ""
    facility: str = ""


class AckRead(Struct, frozen=True):
    """MSA: code, the control id it answers, and what the errors say."""

    code: str
    control_id: str
    words: str = ""


def answer_code(message: Message, verdict: Verdict) -> str | None:
    """MSA-1 for this message and verdict; None: it asks for no answer to this."""
    accept, application = message.header.text(15).upper(), message.header.text(16).upper()
    if not accept and not application:
        return "A" + verdict.value
    if accept != "NE" and _asked(accept, verdict):
        return "C" + verdict.value
    if accept in ("", "NE") and application and _asked(application, verdict):
        return "A" + verdict.value
    return None


def _asked(condition: str, verdict: Verdict) -> bool:
    """Table 0155. A word nobody knows asks, so that nobody waits in vain; an empty field does not."""
    return {
        "": False,
        "NE": False,
        "ER": verdict is not Verdict.TAKEN,
        "SU": verdict is Verdict.TAKEN,
    }.get(condition, True)


def ack(
    message: Message, code: str, *, control_id: str, at: int, me: Party, problems: tuple[Problem, ...] = ()
) -> bytes:
    """The answer to `message`. `me`: the hub; left empty it answers as whom it was addressed."""
    header, marks = message.header, message.delimiters
    structure = "ACK" if not header.text(9, 2) else composed("ACK", header.text(9, 2), "ACK")
    enhanced = code.startswith("C")
    lines = [
        segment(
            "MSH",
            {
                3: me.application or composed(*header.components(5)),
                4: me.facility or composed(*header.components(6)),
                5: composed(*header.components(3)),
                6: composed(*header.components(4)),
                7: utc_text(at),
                9: structure,
                10: control_id,
                11: escaped(header.text(11)) or "P",
                12: escaped(header.text(12)) or "2.6",
                15: "NE" if enhanced else "",
                16: "NE" if enhanced else "",
                18: "UNICODE UTF-8",
            },
        ),
        segment("MSA", {1: code, 2: escaped(header.text(10) if marks.component else header.raw(10))}),
    ]
    lines += [_error(problem) for problem in problems]
    return written(lines)


def _error(problem: Problem) -> str:
    where = [problem.segment, str(problem.number)] if problem.segment else []
    if problem.field:
        where.append(str(problem.field))
    return segment(
        "ERR",
        {
            2: composed(*where),
            3: composed(str(problem.code), ERROR_WORDS.get(problem.code, "Error"), "HL70357"),
            4: "E",
            8: escaped(problem.words),
        },
    )


def verdict_of(problems: tuple[Problem, ...]) -> Verdict:
    """Rejected if anything in it is not for us at all, otherwise an error."""
    if not problems:
        return Verdict.TAKEN
    return Verdict.REJECTED if any(problem.rejected for problem in problems) else Verdict.ERROR


def read_ack(message: Message) -> AckRead | None:
    """What an acknowledgement says; None when the message carries none (no MSA)."""
    msa = message.first("MSA")
    if msa is None:
        return None
    words = [error.text(8) or error.text(3, 2) or error.whole(1) for error in message.all("ERR")]
    return AckRead(msa.text(1).upper(), msa.text(2), "; ".join(filter(None, [*words, msa.text(3)]))[:200])
