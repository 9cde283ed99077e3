"""Fuzz target for mail: whatever the bytes, a bounded message and no exception.

There is no stream to split: a mail arrives whole. `target` raises AssertionError when a bound is broken.
"""

from __future__ import annotations

from protocols.mail import MAX_HEADER_CHARS, MAX_SUBJECT_CHARS, MAX_TEXT_CHARS, decode

SEEDS: list[bytes] = [
    b"From: lab@example.org\r\nSubject: =?utf-8?B?S2FsaXVtIDYsOQ==?=\r\nMessage-ID: <1@lab>\r\n"
    b"Date: Mon, 23 Nov 2026 03:11:00 +0100\r\n\r\nProv 4711\r\n-- \r\nLab\r\n",
    b"Subject: =?iso-8859-1?Q?Blodkyl_201_l=E5g?= =?utf-8?q?_temp?=\r\nX-Priority: 1\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Temperatur =2B9 grader i sk=E5p 2=\r\n01\r\n",
    b'Content-Type: multipart/mixed; boundary="a"\r\n\r\n--a\r\n'
    b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Hej <b>d\xc3\xa4r</b></p><script>x</script>\r\n--b\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVqIGTDpHI=\r\n"
    b"--b--\r\n--a\r\nContent-Type: image/png\r\nContent-Disposition: attachment\r\n\r\nxx\r\n--a--\r\n",
    b"Subject: html\r\nContent-Type: text/html\r\n\r\n"
    b"<html><head><title>t</title></head><!-- c -->A &amp; B<br>"
    b"<STYLE>x</style>C<p",
    b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntext\r\n",
    b"no headers at all",
    b"",
]


def target(data: bytes) -> None:
    """Read these bytes as a mail, and as the inside of some that go wrong in their own ways."""
    for raw in (data, b"Content-Type: text/html; charset=utf-16\r\n\r\n" + data, b"Subject: " + data):
        mail = decode(raw)
        assert len(mail.subject) <= MAX_SUBJECT_CHARS and len(mail.text) <= MAX_TEXT_CHARS
        assert max(len(mail.message_id), len(mail.date)) <= MAX_HEADER_CHARS
        assert "\n" not in mail.subject
        mail.subject.encode("utf-8", "surrogatepass")
        assert decode(raw) == mail
