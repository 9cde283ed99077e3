"""Mails as laboratories, fridges and offices send them, and as nobody should."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mail import MAX_BYTES, MAX_SUBJECT_CHARS, MAX_TEXT_CHARS, decode
from tests.fuzz.fuzz_mail import SEEDS, target


def test_a_plain_mail() -> None:
    """Subject and text, what tells it from others, nothing of the signature."""
    mail = decode(SEEDS[0])
    assert (mail.subject, mail.text) == ("Kalium 6,9", "Prov 4711")
    assert (mail.message_id, mail.date) == ("<1@lab>", "Mon, 23 Nov 2026 03:11:00 +0100")
    assert (mail.urgent, mail.from_html, mail.cut, mail.fault) == (False, False, False, "")


def test_letters_of_home_however_they_are_packed() -> None:
    """Two encoded words are joined, quoted-printable lines too; the sender called it urgent."""
    mail = decode(SEEDS[1])
    assert (mail.subject, mail.text) == ("Blodkyl 201 låg temp", "Temperatur +9 grader i skåp 201")
    assert mail.urgent


def test_the_plain_part_is_preferred_wherever_it_stands() -> None:
    """Not the HTML before it, not the attachment behind it."""
    mail = decode(SEEDS[2])
    assert (mail.text, mail.from_html) == ("Hej där", False)


def test_html_alone_is_read_without_its_tags() -> None:
    """Nothing of scripts, styles, titles and comments; a tag that never ends ends the text."""
    mail = decode(SEEDS[3])
    assert (mail.text, mail.from_html) == ("A & B\nC", True)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Ett</p><p>Två</p>", "Ett\n\nTvå"),
        ("a < b och <> c", "a c"),
        ("<SCRIPT>alert(1)</SCRIPT >kvar", "kvar"),
        ("<script>utan slut", ""),
        ("<!-- utan slut", ""),
        ("&aring;&#228;&bogus;", "åä&bogus;"),
        ("<td>1</td> <td>2</td>", "1 2"),
    ],
)
def test_what_is_left_of_html(markup: str, text: str) -> None:
    """Words and lines."""
    raw = b"Content-Type: text/html; charset=utf-8\n\n" + markup.encode()
    assert decode(raw).text == text


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        ("iso-8859-1", b"sk\xe5p", "skåp"),
        ("windows-1252", b"5 \x80", "5 €"),
        ("utf-8", "skåp".encode(), "skåp"),
        ("us-ascii", b"sk\xe5p", "skåp"),
        ("x-unknown", "skåp".encode(), "skåp"),
        ("", b"sk\xe5p", "skåp"),
        ("rot13", b"hej", "hej"),
        ("unicode_escape", b"\\x41", "\\x41"),
        ("punycode", b"abc-123", "abc-123"),
        ("utf-8", b"sk\xffp", "sk\N{REPLACEMENT CHARACTER}p"),
    ],
)
def test_charsets_are_alphabets(charset: str, raw: bytes, text: str) -> None:
    """What is said, where it is one; otherwise what the bytes look like."""
    head = f'Content-Type: text/plain; charset="{charset}"\n\n' if charset else "\n"
    assert decode(head.encode() + raw).text == text


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"r\xe5tt ut", "rått ut"),
        ("rätt ut".encode(), "rätt ut"),
        (b"=?bogus?Q?a=E5?=", "aå"),
        (b"=?utf-8?B?!!!?=", ""),
        (b"=?utf-8?X?a?=", "=?utf-8?X?a?="),
        (b"=?utf-8*sv?Q?a?= b", "a b"),
        (b"en\r\n tva", "en tva"),
        (b"x" * 500, "x" * MAX_SUBJECT_CHARS),
    ],
)
def test_subjects(header: bytes, subject: str) -> None:
    """Encoded, raw, folded, broken and too long."""
    assert decode(b"Subject: " + header + b"\r\n\r\n").subject == subject


def test_what_the_standard_library_writes_is_read_back() -> None:
    """Its own encoder as the peer."""
    message = EmailMessage()
    message["Subject"] = "Blodkyl på 201: larm – åtgärda"
    message.set_content("Temperatur +9 °C\nRing 4711\n" + "ä" * 300)
    message.add_alternative("<p>annat</p>", subtype="html")
    message.add_attachment(b"\x00" * 100, maintype="application", subtype="pdf", filename="a.pdf")
    mail = decode(message.as_bytes())
    assert mail.subject == "Blodkyl på 201: larm – åtgärda"
    assert mail.text == "Temperatur +9 °C\nRing 4711\n" + "ä" * 300


def test_everything_is_bounded_and_says_so() -> None:
    """A long text, and a mail beyond all measure."""
    assert decode(b"\n" + b"x" * (MAX_TEXT_CHARS + 1)).cut
    assert decode(b"\n" + b"x\n" * MAX_BYTES).cut
    assert len(decode(b"\n" + b"x" * 100_000).text) == MAX_TEXT_CHARS


def test_what_cannot_be_parsed_is_read_as_it_is() -> None:
    """Forty boxes within each other: words stay words, and the fault is named."""
    boxes = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(40))
    mail = decode(b"Subject: hej\n" + boxes)
    assert mail.fault == "too many parts" and mail.text.startswith("Subject: hej")


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_hold(seed: bytes) -> None:
    """As the fuzzer's first inputs."""
    target(seed)


@given(st.binary(max_size=500), st.sampled_from(SEEDS), st.integers(0, 200))
def test_garbage_breaks_nothing(garbage: bytes, seed: bytes, at: int) -> None:
    """Alone, or in the middle of a good mail."""
    target(garbage)
    target(seed[:at] + garbage + seed[at:])
