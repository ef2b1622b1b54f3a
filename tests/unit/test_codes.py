"""The short codes of the class."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import BadValue
from labkit.labs.codes import Choice, Code, decode, encode, find

ANNA = Code("Anna K", 3, (True, True, False, True), (25.5, Choice(1)), 11)


def test_a_code_says_what_was_put_in() -> None:
    """Name, lab, checks, predictions and minutes come back."""
    assert decode(encode(ANNA)) == ANNA


def test_a_code_fits_into_a_chat() -> None:
    """It has at most forty characters, begins with its lab, and no letter looks like another."""
    text = encode(ANNA)
    assert text.startswith("QL03-")
    assert len(text) <= 40
    assert not set("ILOU") & set(text.replace("QL", ""))


@pytest.mark.parametrize(
    "name", ["", "Zoë Ångström", "李小龍", "Владимир", "x" * 99, "a-b c.d", " two  blanks "]
)
def test_names_of_all_scripts_come_back_as_far_as_they_fit(name: str) -> None:
    """A name is cut between letters, never within one."""
    found = decode(encode(Code(name, 1, (True,)))).student
    assert " ".join(name.split()).startswith(found)
    assert found or not name


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (0, 0),
        (100, 100),
        (22.5, 22.5),
        (0.25, 0.25),
        (1234, 1230),
        (0.0009996, 0.001),
        (-3, -3),
        (1e30, 999e9),
    ],
)
def test_predictions_keep_three_digits(value: float, kept: float) -> None:
    """A number is rounded to three digits; one that is too large becomes the largest."""
    (found,) = decode(encode(Code("a", 1, (), (value,)))).predictions
    assert found == pytest.approx(kept)


def test_a_prediction_that_is_no_number_is_none() -> None:
    """Neither infinity nor the missing value is written down."""
    found = decode(encode(Code("a", 1, (), (None, math.nan, math.inf)))).predictions
    assert found == (None, None, None)


def test_codes_are_found_in_a_chat() -> None:
    """Several codes, small letters, other dashes, a line break within, and words around them."""
    other = Code("Ben", 4, (True,), (100.0,))
    wrapped = encode(other).replace("-", "\u2013")
    head, tail = wrapped[:10], wrapped[10:]
    text = f"Anna: {encode(ANNA).lower()}-done!\n[10:31] Ben> {head}\n{tail}, is that ok?"
    found = find(text)
    assert found.codes == (ANNA, other)
    assert found.damaged == ()


def test_letters_that_look_alike_are_read_alike() -> None:
    """O is 0, I and L are 1."""
    text = encode(Code("oil", 1, (True,), (0.0,)))
    swapped = text[:4] + text[4:].replace("0", "O").replace("1", "l")
    assert decode(swapped).student == "oil"


@given(st.data())
def test_a_slip_is_noticed(data: st.DataObject) -> None:
    """Another letter anywhere, or another lab, makes the code a damaged one."""
    text = encode(ANNA)
    places = [place for place, letter in enumerate(text) if letter != "-" and place > 1]
    place = data.draw(st.sampled_from(places))
    letters = "0123456789" if place < 4 else "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    letter = data.draw(st.sampled_from([one for one in letters if one != text[place]]))
    found = find(text[:place] + letter + text[place + 1 :])
    assert found.codes == ()
    assert len(found.damaged) == 1


def test_a_missing_letter_is_noticed() -> None:
    """A code that was not copied to its end is shown as damaged, and is not one to decode."""
    short = encode(ANNA)[:-1]
    assert find(short).damaged == (short,)
    with pytest.raises(BadValue, match="no code"):
        decode(short)


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    """Whatever is pasted, nothing breaks."""
    assert find(text).codes == ()


GUESSES = st.one_of(st.none(), st.builds(Choice, st.integers(0, 15)), st.integers(-999, 999).map(float))
CODES = st.builds(
    Code,
    st.text("abcXYZ019 -", max_size=24).map(lambda name: " ".join(name.split())),
    st.integers(0, 99),
    st.lists(st.booleans(), max_size=15).map(tuple),
    st.lists(GUESSES, max_size=7).map(tuple),
    st.integers(0, 255),
    st.booleans(),
)


@given(CODES)
def test_every_code_comes_back(code: Code) -> None:
    """Writing and reading are each other's inverse."""
    assert decode(encode(code)) == code
