"""A hospital's day of alarms as an arrival plan: its mix, its daily shape, its clusters, bursts and faults.

Rates are those of a hospital of 225 beds (the load model's OSD column) times `times`. The day is laid over
the run, so that a run of any length sees night, morning and shift changes; what follows from an alarm
(re-alarms, impatience) keeps its real seconds. A pure function of the seed, like load.plan.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from itertools import accumulate

from load.plan import SECOND_NS, Press

DAY_S = 86_400
BEDS = 225
WARDS = 18
SLICES = 96
HANDOVERS_H = (6.75, 14.75, 21.25)
FLOOD_SHARE, FLOOD_TIMES, FLOOD_LEAVES = 0.02, 20.0, 0.5
PATIENT_SIGMA = 0.8
REALARM = 0.55
DIP_EVENTS, DIP_S = (60, 150), 2.0
RESEND_WINDOW_S, RESEND_S, RESEND_MOST = 120.0, 5.0, 2000
DUPLICATE, OUT_OF_ORDER, MALFORMED, LOST_END = 0.01, 0.005, 0.001, 0.002
CLOCK_SKEW_MS = 90_000


@dataclass(frozen=True, slots=True)
class Stream:
    """One class of source: alarms per day in the whole hospital, and how it behaves."""

    kind: str
    priority: str
    per_day: float
    per_patient: bool = False
    realarms: bool = False
    impatient: bool = False
    overdispersed: bool = False


STREAMS = (
    Stream("patient_call", "", 9.0 * BEDS, per_patient=True, impatient=True),
    Stream("toilet_call", "", 1.0 * BEDS, per_patient=True, impatient=True),
    Stream("assistance", "", 3.0 * WARDS),
    Stream("emergency", "", 0.3 * WARDS),
    Stream("clinical", "high", 3.5 * 3, realarms=True, overdispersed=True),
    Stream("clinical", "medium", 187.0 * 10, realarms=True),
    Stream("technical", "", 150.0),
    Stream("assault", "", 3.0),
)
"""Rates of the load model; ICU alarms as forwarded audible ones of ten beds."""


def shape(hour: float) -> float:
    """Relative intensity over 24 h: least at 23, most at 8, ratio 1.8, a bump at 17-20, mean near 1."""
    if 8 <= hour < 23:
        main = math.cos((hour - 8) / 15 * math.pi)
    else:
        main = -math.cos(((hour + 1) % 24) / 9 * math.pi)
    bump = 0.12 * math.exp(-(((hour - 18.5) / 1.2) ** 2))
    return 1.0 + 0.2857 * main + bump


def handover(hour: float) -> bool:
    """True within a quarter of an hour of a shift change: 30 % more patient calls."""
    return any(abs(hour - at) < 0.25 for at in HANDOVERS_H)


def hospital(*, times: float, seconds: float, beds: int, seed: int, bursts: bool = True) -> list[Press]:
    """The plan: starts, repeats and defects of a day laid over `seconds`, at `times` the real rate, by time.

    Ends are not planned: they depend on who comes.
    """
    rng = random.Random(f"hospital {seed} {times} {seconds} {beds}")
    flood = [_flood(rng) for _ in range(beds)]
    patients = [rng.lognormvariate(-(PATIENT_SIGMA**2) / 2, PATIENT_SIGMA) for _ in range(beds)]
    starts: list[Press] = []
    for stream in STREAMS:
        starts += _stream(rng, stream, times, seconds, flood, patients)
    if bursts:
        starts += _dip(rng, seconds, beds)
    starts = [one for one in sorted(starts, key=lambda one: one.at_ns) if one.at_ns < seconds * SECOND_NS]
    starts = [replace(one, number=number) for number, one in enumerate(starts)]
    plan = [_with_defect(rng, one) for one in starts]
    plan += _echoes(rng, plan, seconds)
    if bursts:
        plan += _resend(rng, starts, seconds)
    return sorted(plan, key=lambda one: (one.at_ns, one.number))


def _flood(rng: random.Random) -> list[float]:
    """A bed's factor in each slice of the day: a two-state chain, 2 % of the time at 20 times the rate."""
    enters = FLOOD_LEAVES * FLOOD_SHARE / (1 - FLOOD_SHARE)
    state = rng.random() < FLOOD_SHARE
    factors = []
    for _ in range(SLICES):
        factors.append(FLOOD_TIMES if state else 1.0)
        state = rng.random() >= FLOOD_LEAVES if state else rng.random() < enters
    return factors


def _stream(
    rng: random.Random,
    stream: Stream,
    times: float,
    seconds: float,
    flood: list[list[float]],
    patients: list[float],
) -> list[Press]:
    beds = len(flood)
    # Overdispersion of the day (negative binomial, k = 1.5): a gamma factor on its rate.
    day = rng.gammavariate(1.5, 1 / 1.5) if stream.overdispersed else 1.0
    usual = 1 + FLOOD_SHARE * (FLOOD_TIMES - 1)
    out: list[Press] = []
    slice_s = seconds / SLICES
    for number in range(SLICES):
        hour = (number + 0.5) * 24 / SLICES
        level = shape(hour) * (1.3 if stream.per_patient and handover(hour) else 1.0)
        mean = stream.per_day * times * seconds / DAY_S / SLICES * level * day
        weights = [
            (patients[bed] if stream.per_patient else 1.0) * flood[bed][number] / usual for bed in range(beds)
        ]
        cumulated = list(accumulate(weights))
        for _ in range(_poisson(rng, mean * cumulated[-1] / beds)):
            at = int((number + rng.random()) * slice_s * SECOND_NS)
            bed = rng.choices(range(beds), cum_weights=cumulated)[0]
            first = Press(at, 0, bed, stream.kind, stream.priority)
            out.append(first)
            if stream.realarms:
                out += _realarms(rng, first)
    return out


def _realarms(rng: random.Random, first: Press) -> list[Press]:
    out = []
    at = first.at_ns
    while rng.random() < REALARM:
        at += int(rng.uniform(5, 180) * SECOND_NS)
        out.append(replace(first, at_ns=at))
    return out


def _dip(rng: random.Random, seconds: float, beds: int) -> list[Press]:
    """A ward's power dips: all its devices speak within two seconds."""
    at = rng.uniform(0.3, 0.6) * seconds
    first_bed = rng.randrange(beds)
    return [
        Press(int((at + rng.uniform(0, DIP_S)) * SECOND_NS), 0, (first_bed + n % 20) % beds, "technical")
        for n in range(rng.randint(*DIP_EVENTS))
    ]


def _resend(rng: random.Random, starts: list[Press], seconds: float) -> list[Press]:
    """The gateway restarts and sends all calls of the last minutes again, within five seconds."""
    at = rng.uniform(0.65, 0.9) * seconds
    earliest = (at - RESEND_WINDOW_S) * SECOND_NS
    open_calls = [one for one in starts if earliest <= one.at_ns <= at * SECOND_NS][-RESEND_MOST:]
    return [
        replace(one, at_ns=int((at + rng.uniform(0, RESEND_S)) * SECOND_NS), defect="repeat")
        for one in open_calls
    ]


def _with_defect(rng: random.Random, press: Press) -> Press:
    draw = rng.random()
    skew = rng.randint(-CLOCK_SKEW_MS, CLOCK_SKEW_MS)
    if draw < MALFORMED:
        return replace(press, defect="malformed", skew_ms=skew)
    if draw < MALFORMED + LOST_END:
        return replace(press, defect="lost_end", skew_ms=skew)
    if draw < MALFORMED + LOST_END + OUT_OF_ORDER:
        return replace(press, defect="late", skew_ms=skew)
    return replace(press, skew_ms=skew)


def _echoes(rng: random.Random, plan: list[Press], seconds: float) -> list[Press]:
    """Duplicates on the wire (same id), and patients who press again until somebody has come."""
    out = []
    for press in plan:
        if press.defect == "malformed":
            continue
        if rng.random() < DUPLICATE:
            out.append(
                replace(press, at_ns=press.at_ns + int(rng.uniform(0, 1) * SECOND_NS), defect="duplicate")
            )
        if press.kind in ("patient_call", "toilet_call"):
            at = press.at_ns + int(rng.uniform(60, 120) * SECOND_NS)
            while at < seconds * SECOND_NS:
                out.append(replace(press, at_ns=at, defect="impatient"))
                at += int(rng.uniform(60, 120) * SECOND_NS)
    return out


def _poisson(rng: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, left = 0, math.exp(-mean)
    product = rng.random()
    while product > left:
        count += 1
        product *= rng.random()
    return count
