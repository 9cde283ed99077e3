"""Documents of ESPA-X: tolerant of what is read, strict with what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.espax_document import MAX_DEPTH, MAX_ELEMENTS, Message, Unreadable, build, fitted, parse
from protocols.espax_rules import ELEMENTS, FIELDS, Text
from tests.support.espax_oracle import SAMPLES, asked, judged, sample

STAMP = "2026-09-14T09:00:00"


def read(inner: str) -> Message | Unreadable:
    """The message with this as the one child of the root."""
    return parse(asked(inner)[10:])


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.bin")), ids=lambda path: path.stem)
def test_each_published_sample_is_read_as_another_library_reads_it(path: object) -> None:
    """Element, attributes and fields as lxml has them."""
    document = sample(path.stem)[10:]  # type: ignore[attr-defined]
    other = judged(document)
    message = parse(document)

    assert isinstance(message, Message)
    assert (message.element, message.attributes) == (other.element, other.attributes)
    assert message.fields == {name: value for name, value in other.fields.items() if name != "PROPRIETARY"}


def test_what_real_clients_send_against_the_schema_is_accepted() -> None:
    """Empty elements, `+` in network numbers, unknown fields, prefixes, blanks, a NUL at the end."""
    message = read(
        '<REQ.P-START invokeID=" 12 " sessionID="s"><CP-WARD/><CP-BED>  </CP-BED><SS-NETW-NO>+1</SS-NETW-NO>'
        "<CP-TEXTMSG>\n Zi 12 </CP-TEXTMSG><X-OTHER>9</X-OTHER></REQ.P-START>"
    )
    assert isinstance(message, Message)
    assert message.fields == {"SS-NETW-NO": "+1", "CP-TEXTMSG": "Zi 12", "X-OTHER": "9"}
    assert (message.invoke_id, message.session_id) == (12, "s")
    assert parse(sample("03")[10:] + b"\x00\x00") == parse(sample("03")[10:])
    prefixed = b'<e:ESPA-X xmlns:e="http://ns.espa-x.org/espa-x"><e:REQ.P-START><e:CP-BED>4</e:CP-BED></e:REQ.P-START></e:ESPA-X>'
    assert parse(prefixed) == Message("REQ.P-START", {}, {"CP-BED": "4"})


def test_what_is_not_utf_8_is_taken_as_latin_1() -> None:
    """A wrong letter loses no call, whatever the declaration says."""
    for declared in ("", '<?xml version="1.0" encoding="UTF-8"?>', '<?xml version="1.0" encoding="x-none"?>'):
        document = f"{declared}<ESPA-X><REQ.P-START><CP-BED>Hjärt</CP-BED></REQ.P-START></ESPA-X>"
        for encoding in ("utf-8", "latin-1"):
            message = parse(document.encode(encoding))
            assert message == Message("REQ.P-START", {}, {"CP-BED": "Hjärt"})


@pytest.mark.parametrize("said", ["", "x", "-1", "1.5", "18446744073709551616", "٣"])
def test_a_number_that_is_none_is_none(said: str) -> None:
    """The header's invoke number then has to do."""
    message = read(f'<REQ.HEARTBEAT invokeID="{said}"/>')
    assert isinstance(message, Message)
    assert message.invoke_id is None


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", 601),
        (b"Zi 12 Bett 1", 601),
        (b"<ESPA-X><REQ.P-START></ESPA-X>", 601),
        (b"<ESPA-X><REQ.P-START><CP-BED>\x01</CP-BED></REQ.P-START></ESPA-X>", 601),
        ("<ESPA-X/>".encode("utf-16"), 601),
        (b"<ESPA-X><REQ.P-START><CP-BED>&bed;</CP-BED></REQ.P-START></ESPA-X>", 601),
        (b"<ESPA-X/>", 602),
        (b"<html><body/></html>", 602),
        (b"<ESPA-X><REQ.HEARTBEAT/><REQ.HEARTBEAT/></ESPA-X>", 602),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><ESPA-X><REQ.HEARTBEAT/></ESPA-X>', 602),
        (b'<!DOCTYPE ESPA-X SYSTEM "file:///etc/passwd"><ESPA-X><REQ.HEARTBEAT/></ESPA-X>', 602),
        (b"<ESPA-X><REQ.P-START>" + b"<a/>" * MAX_ELEMENTS + b"</REQ.P-START></ESPA-X>", 602),
        (b"<ESPA-X>" + b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH + b"</ESPA-X>", 602),
    ],
)
def test_what_is_no_message_says_which_kind_of_none(document: bytes, code: int) -> None:
    """601 no XML, 602 no ESPA-X; a document type and what could grow are refused."""
    message = parse(document)
    assert isinstance(message, Unreadable)
    assert message.code == code
    assert message.why


def test_proprietary_content_is_passed_over() -> None:
    """Anywhere, whatever is in it."""
    message = read(
        "<REQ.P-STOP><PROPRIETARY><CP-PR-REF>no</CP-PR-REF></PROPRIETARY><CP-PR-REF>a</CP-PR-REF></REQ.P-STOP>"
    )
    assert message == Message("REQ.P-STOP", {}, {"CP-PR-REF": "a"})


@given(st.binary(max_size=400))
def test_reading_never_raises(data: bytes) -> None:
    """Noise, alone and within a document."""
    parse(data)
    parse(b"<ESPA-X><REQ.P-START><CP-BED>" + data + b"</CP-BED></REQ.P-START></ESPA-X>")


TEXTS = st.text(st.characters(), max_size=300)


@given(
    element=st.sampled_from(sorted(ELEMENTS)), values=st.lists(TEXTS, min_size=24, max_size=24), session=TEXTS
)
def test_whatever_people_write_the_schema_allows_what_is_sent(
    element: str, values: list[str], session: str
) -> None:
    """Any text in any optional field: control characters, half characters, too long, nothing left."""
    rule = ELEMENTS[element]
    required = {"SP-PR-TAN": "1", "RSP-CODE": "200", "RSP-REASON": "OK", "RSP-INFO": "x", "LI-SERVER": "x",
                "LI-SERVERSW": "x", "LI-CLIENT": "x", "LI-USER": "user", "LI-PASSWORD": "pass",
                "CP-PR-MASK": "All", "LO-REASON": "Normal", "SD-REASON": "Normal", "SD-MODE": "Quick",
                "S-HEALTH": "OK", "SP-ENDREASON": "Finished"}  # fmt: skip
    fields: dict[str, str | None] = {name: required[name] for name in rule.required_fields()}
    optional = [name for name in rule.field_names() if name not in fields]
    fields |= dict(zip(optional, values, strict=False))
    names = {name.removesuffix("!") for name in rule.attributes}
    document = build(
        element, STAMP, fields,
        invoke_id=1 if "invokeID" in names else None,
        session_id=session if "sessionID" in names else None,
    )  # fmt: skip
    said = judged(document)
    assert said.element == element
    message = parse(document)
    assert isinstance(message, Message)
    assert message.fields.keys() == said.fields.keys()


def test_text_is_cut_and_what_a_field_cannot_hold_is_left_out() -> None:
    """Numbers keep their digits, words that are none of the list go."""
    assert fitted("CP-TEXTMSG", "x" * 300) == "x" * 160
    assert fitted("SS-SBSCRNO", " 47 11 / A") == "4711/"
    assert fitted("SS-SBSCRNO", "Anna") is None
    assert fitted("SP-RESULT", "Maybe") is None
    assert fitted("SS-SBSCRDATA", "Anna\x00 &\n<Lind>\ud800") == "Anna\ufffd & <Lind>\ufffd"
    assert isinstance(FIELDS["SS-SBSCRDATA"], Text)


def test_a_forgotten_field_is_a_defect_and_says_which() -> None:
    """The caller's, never the peer's."""
    with pytest.raises(ValueError, match="RSP-INFO: missing"):
        build("RSP.LOGOUT", STAMP, {"RSP-CODE": "200", "RSP-REASON": "OK"}, invoke_id=1, session_id="s")
    with pytest.raises(ValueError, match=r"S-LOAD: not in IND\.P-SYNC"):
        build("IND.P-SYNC", STAMP, {"S-LOAD": "No"}, session_id="s")
