"""How often somebody may come, and what is remembered of them."""

from __future__ import annotations

import time

import pytest

from services.api.access.rates import PER_ADDRESS, Rates
from services.api.errors import ApiError
from tests.checkout import eventually


def test_nothing_is_kept_of_those_who_came_long_ago() -> None:
    """Strangers choose the names that they try: these must not pile up."""
    rates = Rates("1000/second", "1000/second")
    for number in range(500):
        rates.count("login", f"192.0.2.{number % 250}", f"nobody{number}")
    assert rates.remembered() >= 750

    def forgotten() -> bool:
        rates.count("login", "192.0.2.1", "somebody")
        return rates.remembered() <= 8

    eventually(forgotten)


def test_no_edge_of_a_window_lets_twice_as_many_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has used all of one minute up is not let in as often again as the next begins."""
    rates = Rates("100/minute", "100/minute")

    def let_in(at: float) -> int:
        monkeypatch.setattr(time, "time", lambda: at)
        count = 0
        try:
            while True:
                rates.count("login", "192.0.2.1", "anna")
                count += 1
        except ApiError:
            return count

    minute = time.time() // 60 * 60
    assert let_in(minute + 59) == 100
    assert let_in(minute + 62) < 10
    assert let_in(minute + 61 + 120) == 100


def test_more_than_ever_fits_is_said_so() -> None:
    """Waiting does not help who sends more at once than a window takes."""
    with pytest.raises(ApiError, match="send fewer at a time"):
        Rates("5/minute", "5/minute").count("upload", "192.0.2.1", "anna", 6)
    with pytest.raises(ApiError, match="send fewer at a time"):
        Rates("5/minute", "5/minute").count("upload", "192.0.2.1", times=5 * PER_ADDRESS + 1)
