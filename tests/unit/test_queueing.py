"""Formulas of queueing theory, against other formulas and against queues that are played through."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.analysis import queueing

servers = st.integers(1, 60)
utilisations = st.floats(0.01, 0.99)
services_s = st.floats(0.001, 100)


def textbook_erlang_c(offered: float, servers: int) -> float:
    """Return the share that waits, by the sum that stands in the books (Kleinrock 1975, 3.40)."""
    terms = [offered**number / math.factorial(number) for number in range(servers)]
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return last / (sum(terms) + last)


@given(servers, utilisations)
def test_erlang_c_is_the_textbook_sum(count: int, utilisation: float) -> None:
    """The recursion gives what the sum over factorials gives."""
    offered = utilisation * count
    assert queueing.erlang_c(offered, count) == pytest.approx(textbook_erlang_c(offered, count), rel=1e-9)


def test_erlang_c_of_the_tables() -> None:
    """Two erlangs on three lines: four ninths of the callers wait; blocked are four nineteenths."""
    assert queueing.erlang_c(2, 3) == pytest.approx(4 / 9)
    assert queueing.erlang_b(2, 3) == pytest.approx(4 / 19)


@given(utilisations, services_s)
def test_one_server_is_the_classic_formula(utilisation: float, service_s: float) -> None:
    """M/M/1 at utilisation u: the wait is s u / (1 - u), and a share u of all jobs has to wait."""
    found = queueing.mmc(utilisation / service_s, service_s, 1)
    assert found.p_wait == pytest.approx(utilisation)
    assert found.wait_s == pytest.approx(service_s * utilisation / (1 - utilisation), rel=1e-6)


@given(servers, utilisations, services_s)
def test_the_numbers_follow_littles_law(count: int, utilisation: float, service_s: float) -> None:
    """L = λ W holds for the queue and for the whole system, whose difference is the offered load."""
    rate = utilisation * count / service_s
    found = queueing.mmc(rate, service_s, count)
    assert found.waiting == pytest.approx(rate * found.wait_s)
    assert found.in_system - found.waiting == pytest.approx(rate * service_s, abs=1e-6)
    assert found.utilisation == pytest.approx(utilisation)


@given(servers, utilisations, services_s)
def test_sharing_a_queue_never_lengthens_the_wait(count: int, utilisation: float, service_s: float) -> None:
    """More servers at the same utilisation: a smaller share waits, and for a shorter time."""
    less = queueing.mmc(utilisation * count / service_s, service_s, count)
    more = queueing.mmc(utilisation * (count + 1) / service_s, service_s, count + 1)
    assert more.p_wait <= less.p_wait <= 1
    assert more.wait_s <= less.wait_s


@given(servers, utilisations, services_s)
def test_the_tail_begins_at_those_who_wait_and_adds_up_to_the_mean(
    count: int, utilisation: float, service_s: float
) -> None:
    """The share that waits longer than t falls from C to nothing; its area is the mean wait."""
    rate = utilisation * count / service_s
    found = queueing.mmc(rate, service_s, count)
    decay_s = 1 / (count / service_s - rate)
    assert queueing.wait_tail(rate, service_s, count, 0) == pytest.approx(found.p_wait)
    assert queueing.wait_tail(rate, service_s, count, decay_s) == pytest.approx(found.p_wait / math.e)
    assert found.p_wait * decay_s == pytest.approx(found.wait_s)


@given(servers, utilisations, services_s)
def test_with_the_variation_of_chance_the_approximation_is_exact(
    count: int, utilisation: float, service_s: float
) -> None:
    """Squared coefficients of variation of 1 are M/M/c; without any variation nobody waits."""
    rate = utilisation * count / service_s
    assert queueing.allen_cunneen(rate, service_s, count, 1, 1) == queueing.mmc(rate, service_s, count)
    assert queueing.allen_cunneen(rate, service_s, count, 0, 0).wait_s == 0


@pytest.mark.parametrize("rate", [3, 4, -1])
def test_too_much_work_has_no_steady_state(rate: float) -> None:
    """At a utilisation of 1 and above there is no answer, and everybody waits."""
    with pytest.raises(ValueError, match="no steady state"):
        queueing.mmc(rate, 1.0, 3)
    assert rate < 0 or queueing.erlang_c(rate, 3) == 1


def test_the_wait_agrees_with_a_queue_that_is_played_through() -> None:
    """200,000 jobs of chance wait as M/M/3 says, on average and in the tail."""
    waits = queueing.imagined_waits(10, 0.2, 3, 200_000, seed=1)
    formula = queueing.mmc(10, 0.2, 3)
    assert fmean(waits) == pytest.approx(formula.wait_s, rel=0.05)
    assert fmean(wait > 0 for wait in waits) == pytest.approx(formula.p_wait, rel=0.03)
    assert fmean(wait > 0.2 for wait in waits) == pytest.approx(queueing.wait_tail(10, 0.2, 3, 0.2), rel=0.05)


def test_replay_of_a_burst_goes_in_rounds() -> None:
    """Five jobs of a second at once, two servers: two begin at once, two after one second, one after two."""
    assert queueing.replay([0] * 5, [1] * 5, 2) == [0, 0, 1, 1, 2]


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=40), st.integers(1, 5))
def test_replay_keeps_the_order_and_the_number_of_servers(
    jobs: list[tuple[float, float]], count: int
) -> None:
    """Jobs begin in order of arrival, and never more at once than there are servers."""
    arrivals = sorted(arrival for arrival, _ in jobs)
    services = [service for _, service in jobs]
    waits = queueing.replay(arrivals, services, count)
    begins = [arrival + wait for arrival, wait in zip(arrivals, waits, strict=True)]
    assert min(waits) >= 0
    assert all(one <= other + 1e-9 for one, other in pairwise(begins))
    ends = [begin + service for begin, service in zip(begins, services, strict=True)]
    for begin in begins:
        busy = sum(one <= begin < end - 1e-9 for one, end in zip(begins, ends, strict=True))
        assert busy <= count
