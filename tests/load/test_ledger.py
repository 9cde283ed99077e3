"""The books: lost, refused and doubled are three things."""

from pathlib import Path

from load.ledger import LOG_RECORD, Entry, Ledger


def _sent(ledger: Ledger, number: int, *, at_ns: int = 1_000_000, high: bool = False) -> Entry:
    entry = Entry(number, 0, "patient_call", "", high, True, at_ns, at_ns + 1000)
    ledger.opened(entry)
    return entry


def test_latency_runs_from_the_intended_time_to_the_first_phone() -> None:
    """Sent late or not, and however many phones ring later."""
    ledger = Ledger(marker="L-")
    entry = _sent(ledger, 0)
    entry.sent_ns = 3_000_000
    ledger.answered(0, 201, "a", 6_000_000)
    ledger.rang(0, 7, 5_000_000)
    ledger.rang(0, 8, 9_000_000)
    assert ledger.first_phone.count == 1
    assert ledger.every_phone.count == 2
    assert abs((ledger.first_phone.max_ms or 0) - 4.0) < 0.01
    assert (entry.phone, entry.phones) == (7, 2)


def test_acknowledged_without_a_phone_is_lost_and_so_is_no_answer() -> None:
    """201 and silence, and silence altogether."""
    ledger = Ledger(marker="L-")
    _sent(ledger, 0)
    _sent(ledger, 1)
    ledger.answered(0, 201, "a", 2_000_000)
    assert ledger.lost == 2
    assert ledger.unsettled() == 2


def test_refused_is_not_lost() -> None:
    """The source knows and can do something about it."""
    ledger = Ledger(marker="L-")
    _sent(ledger, 0)
    ledger.answered(0, 503, "", 2_000_000)
    assert (ledger.lost, ledger.refused, ledger.unsettled()) == (0, 1, 0)


def test_a_frame_may_come_before_the_answer() -> None:
    """Then the start is unsettled only until the answer."""
    ledger = Ledger(marker="L-")
    _sent(ledger, 0)
    ledger.rang(0, 1, 2_000_000)
    assert ledger.unsettled() == 1
    ledger.answered(0, 201, "a", 3_000_000)
    assert (ledger.unsettled(), ledger.lost) == (0, 0)


def test_high_priority_and_warm_up_are_kept_apart() -> None:
    """Warm-up is counted as sent, never as a latency."""
    ledger = Ledger(marker="L-")
    _sent(ledger, 0, high=True)
    warm = _sent(ledger, 1)
    warm.measured = False
    ledger.rang(0, 1, 2_000_000)
    ledger.rang(1, 1, 2_000_000)
    assert ledger.counts["sent"] == 2
    assert (ledger.first_phone.count, ledger.high_first_phone.count) == (1, 1)


def test_numbers_are_read_back_from_texts_of_this_run_only() -> None:
    """Leftovers of another run are nobody's latency."""
    ledger = Ledger(marker="Labc-")
    assert ledger.number_in(ledger.text(42)) == 42
    assert ledger.number_in("Lxyz-42") == -1
    assert ledger.number_in("Labc-4x") == -1
    assert ledger.number_in(None) == -1


def test_the_exact_log_has_24_bytes_per_alarm(tmp_path: Path) -> None:
    """Intended time, and microseconds to each stage; 0 for what never came."""
    ledger = Ledger(marker="L-")
    _sent(ledger, 0)
    ledger.answered(0, 201, "a", 3_000_000)
    ledger.rang(0, 5, 5_000_000)
    _sent(ledger, 1)
    path = tmp_path / "log.bin"
    ledger.write_log(path)
    data = path.read_bytes()
    assert len(data) == 48
    assert LOG_RECORD.unpack(data[:24]) == (1_000_000, 1, 2000, 4000, 5)
    assert LOG_RECORD.unpack(data[24:]) == (1_000_000, 1, 0, 0, 0xFFFFFFFF)
