"""A hospital's day: fixed by its seed, shaped as the studies say, with the faults of real sources."""

from collections import Counter

import pytest

from load.hospital import BEDS, FLOOD_SHARE, FLOOD_TIMES, hospital, shape
from load.plan import SECOND_NS


def test_the_same_seed_gives_the_same_day() -> None:
    """Determinism, bursts and defects included."""
    one = hospital(times=20, seconds=120, beds=BEDS, seed=1)
    assert one == hospital(times=20, seconds=120, beds=BEDS, seed=1)
    assert one != hospital(times=20, seconds=120, beds=BEDS, seed=2)


def test_eight_is_the_busiest_hour_and_twenty_three_the_quietest() -> None:
    """Ratio 1.8, as in the study; and the day's mean is the day's rate."""
    hours = [number / 10 for number in range(240)]
    levels = {hour: shape(hour) for hour in hours}
    assert max(levels, key=levels.__getitem__) == pytest.approx(8, abs=0.5)
    assert min(levels, key=levels.__getitem__) == pytest.approx(23, abs=0.5)
    assert max(levels.values()) / min(levels.values()) == pytest.approx(1.8, rel=0.05)
    assert sum(levels.values()) / len(levels) == pytest.approx(1, abs=0.05)


def test_a_whole_day_has_about_as_many_alarms_as_a_hospital() -> None:
    """A day at five times its pace: patient calls near 10 per bed, and all of the mix present."""
    plan = hospital(times=5, seconds=17_280, beds=BEDS, seed=3, bursts=False)
    starts = [press for press in plan if press.defect not in ("impatient", "duplicate", "repeat")]
    kinds = Counter(press.kind for press in starts)
    assert 0.6 * 10 * BEDS < kinds["patient_call"] + kinds["toilet_call"] < 1.6 * 10 * BEDS
    assert {"assistance", "emergency", "clinical", "technical", "assault"} <= set(kinds)
    assert len({press.number for press in starts}) == len(starts)


def test_alarms_bring_alarms() -> None:
    """Re-alarms and flooded beds: monitor alarms of one bed come more clustered than chance would have it."""
    plan = hospital(times=1, seconds=86_400, beds=BEDS, seed=4, bursts=False)
    per_bed = Counter(press.bed for press in plan if press.kind == "clinical")
    mean = sum(per_bed.values()) / BEDS
    variance = sum((per_bed[bed] - mean) ** 2 for bed in range(BEDS)) / BEDS
    assert FLOOD_SHARE * FLOOD_TIMES > 0
    assert variance > 1.5 * mean


def test_sources_make_their_mistakes() -> None:
    """Duplicates, malformed ones, lost ends, late starts and wrong clocks, each in about its share."""
    plan = hospital(times=300, seconds=300, beds=BEDS, seed=5, bursts=False)
    defects = Counter(press.defect for press in plan)
    starts = sum(1 for press in plan if press.defect not in ("impatient", "duplicate"))
    assert 0.005 < defects["duplicate"] / starts < 0.015
    for defect, share in (("malformed", 0.001), ("lost_end", 0.002), ("late", 0.005)):
        assert 0 < defects[defect] / starts < 3 * share
    assert max(abs(press.skew_ms) for press in plan) > 60_000


def test_bursts_are_in_the_day() -> None:
    """A ward's power dip within two seconds, and a gateway that sends its open calls again within five."""
    plan = hospital(times=20, seconds=300, beds=BEDS, seed=6)
    quiet = hospital(times=20, seconds=300, beds=BEDS, seed=6, bursts=False)
    assert len(plan) > len(quiet)
    resent = [press.at_ns for press in plan if press.defect == "repeat"]
    assert resent
    assert max(resent) - min(resent) <= 5 * SECOND_NS
