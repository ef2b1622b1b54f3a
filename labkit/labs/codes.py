"""Short codes that say how far somebody is, such as QL03-7KQ2-M0FA, to be pasted into a chat.

A code holds a name, a lab, which checks passed, the minutes so far and the predictions. Its last four
letters are a checksum, so that a code with a slip is noticed. A code is no secret and no proof: whoever
reads this file can make one. It shows where a class is; marks go by the page that is handed in.

Letters are those of Crockford's base 32 (https://www.crockford.com/base32.html): small letters are as good as
capitals, O is read as 0, I and L as 1.
"""

from __future__ import annotations

import math
import re
import string
from dataclasses import dataclass
from zlib import crc32

from labkit.errors import BadValue

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NAME_LETTERS = string.ascii_letters + string.digits + " -"
LONGEST_NAME = 24
MOST_CHECKS, MOST_GUESSES, MOST_CHOICES, MOST_MINUTES = 15, 7, 16, 255

_VERSION, _VERSION_BITS = 1, 3
_GROUP, _LETTER_BITS, _SUM_BITS = 4, 5, 20
_DIGITS = 3
_LARGEST, _MANTISSA_BITS = 999, 10
_BIAS, _EXPONENT_BITS = 6, 4
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212"  # a chat makes others of the one that was typed
_LIKELY = re.compile(rf"(?<![0-9A-Z])QL([0-9]{{2}})((?:[{_DASHES}]\s{{0,2}}[0-9A-Z]+)+)", re.IGNORECASE)
_READ_AS = str.maketrans("OILU", "011V")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Choice:
    """A prediction that is one of several choices: its place among them, from 0."""

    place: int


Guess = float | Choice | None
"""A prediction: a number (three digits of it are kept), a choice, or none."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a code says. lab: 0 to 99. passed: for each check. minutes: since the lab was started.

    solved: the answer was asked for with `lab solve`. predictions: in the order of the lab's questions.
    """

    student: str
    lab: int
    passed: tuple[bool, ...]
    predictions: tuple[Guess, ...] = ()
    minutes: int = 0
    solved: bool = False

    @property
    def done(self) -> bool:
        """Whether all checks passed."""
        return bool(self.passed) and all(self.passed)


@dataclass(frozen=True, slots=True)
class Found:
    """The codes in a text, in its order, and what looks like a code but is damaged."""

    codes: tuple[Code, ...]
    damaged: tuple[str, ...] = ()


def encode(code: Code) -> str:
    """Write a code. What does not fit is cut: long names, more than 15 checks or 7 predictions."""
    bits = _Bits()
    bits.put(_VERSION, _VERSION_BITS)
    _put_name(bits, code.student)
    bits.put(len(code.passed[:MOST_CHECKS]), 4)
    for passed in code.passed[:MOST_CHECKS]:
        bits.put(passed, 1)
    bits.put(code.solved, 1)
    bits.put(min(MOST_MINUTES, max(0, code.minutes)), 8)
    bits.put(len(code.predictions[:MOST_GUESSES]), 3)
    for guess in code.predictions[:MOST_GUESSES]:
        _put_guess(bits, guess)
    group_bits = _GROUP * _LETTER_BITS
    bits.put(0, -bits.length % group_bits)
    lab = code.lab % 100
    text = _letters(bits.value, bits.length) + _letters(_checksum(lab, bits), _SUM_BITS)
    groups = [text[start : start + _GROUP] for start in range(0, len(text), _GROUP)]
    return "-".join([f"QL{lab:02}", *groups])


def decode(text: str) -> Code:
    """Read one code, however it is spaced or written. Raises BadValue."""
    found = find(text)
    if len(found.codes) == 1 and not found.damaged:
        return found.codes[0]
    raise BadValue(f"{text.strip()[:_SHOWN]!r} is no code of Queue Lab.", "Copy it again, all of it.")


def find(text: str) -> Found:
    """Return all codes in a text, whatever stands around them."""
    codes, damaged = [], []
    for match in _LIKELY.finditer(text):
        code = _longest(int(match.group(1)), match.group(2))
        if code is None:
            damaged.append(" ".join(match.group().split())[:_SHOWN])
        else:
            codes.append(code)
    return Found(tuple(codes), tuple(damaged))


def _longest(lab: int, tail: str) -> Code | None:
    """Read as many groups as make a code: what follows may be the writer's own words."""
    groups = [group.strip() for group in re.split(rf"[{_DASHES}]", tail)][1:]
    for count in range(len(groups), 1, -1):
        if all(len(group) == _GROUP for group in groups[:count]):
            code = _read(lab, "".join(groups[:count]))
            if code is not None:
                return code
    return None


def _read(lab: int, letters: str) -> Code | None:
    try:
        numbers = [LETTERS.index(letter) for letter in letters.upper().translate(_READ_AS)]
    except ValueError:
        return None
    whole = _Bits()
    for number in numbers:
        whole.put(number, _LETTER_BITS)
    length = whole.length - _SUM_BITS
    bits = _Bits(whole.value >> _SUM_BITS, length)
    if _checksum(lab, bits) != whole.value & (1 << _SUM_BITS) - 1:
        return None
    try:
        return _parsed(lab, bits)
    except (ValueError, IndexError):  # another version, or made by hand
        return None


def _parsed(lab: int, bits: _Bits) -> Code:
    if bits.take(_VERSION_BITS) != _VERSION:
        raise ValueError("another version")
    name = _take_name(bits)
    passed = tuple(bool(bits.take(1)) for _ in range(bits.take(4)))
    solved, minutes = bool(bits.take(1)), bits.take(8)
    predictions = tuple(_take_guess(bits) for _ in range(bits.take(3)))
    return Code(name, lab, passed, predictions, minutes, solved)


class _Bits:
    """A row of bits, written at its end and read from its begin."""

    def __init__(self, value: int = 0, length: int = 0) -> None:
        self.value, self.length = value, length
        self._read = 0

    def put(self, number: int, bits: int) -> None:
        self.value = self.value << bits | int(number)
        self.length += bits

    def take(self, bits: int) -> int:
        self._read += bits
        if self._read > self.length:
            raise IndexError("the code ends too early")
        return self.value >> (self.length - self._read) & (1 << bits) - 1


def _put_name(bits: _Bits, name: str) -> None:
    """Six bits a letter for plain names, else UTF-8."""
    name = " ".join(name.split())[:LONGEST_NAME].strip()
    plain = all(letter in NAME_LETTERS for letter in name)
    units = [NAME_LETTERS.index(letter) for letter in name] if plain else [*_cut(name)]
    bits.put(plain, 1)
    bits.put(len(units), 5)
    for unit in units:
        bits.put(unit, 6 if plain else 8)


def _cut(name: str) -> bytes:
    """Return the name in UTF-8, without the letters that do not fit."""
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").encode()


def _take_name(bits: _Bits) -> str:
    plain, length = bits.take(1), bits.take(5)
    if plain:
        return "".join(NAME_LETTERS[bits.take(6)] for _ in range(length))
    return bytes(bits.take(8) for _ in range(length)).decode()


def _put_guess(bits: _Bits, guess: Guess) -> None:
    if isinstance(guess, Choice):
        bits.put(0b10, 2)
        bits.put(min(guess.place, MOST_CHOICES - 1), 4)
    elif guess is None or not math.isfinite(guess):
        bits.put(0b11, 2)
    else:
        mantissa, exponent = _scientific(abs(guess))
        bits.put(0b0, 1)
        bits.put(guess < 0, 1)
        bits.put(mantissa, _MANTISSA_BITS)
        bits.put(exponent + _BIAS, _EXPONENT_BITS)


def _take_guess(bits: _Bits) -> Guess:
    if bits.take(1):
        return None if bits.take(1) else Choice(bits.take(4))
    sign = -1 if bits.take(1) else 1
    mantissa, exponent = bits.take(_MANTISSA_BITS), bits.take(_EXPONENT_BITS) - _BIAS
    return sign * float(f"{mantissa}e{exponent}")


def _scientific(value: float) -> tuple[int, int]:
    """Return three digits and a power of ten; what is out of reach becomes the nearest within it."""
    lowest, highest = -_BIAS, (1 << _EXPONENT_BITS) - 1 - _BIAS
    if value == 0:
        return 0, 0
    exponent = math.floor(math.log10(value)) - _DIGITS + 1
    exponent = min(highest, max(lowest, exponent))
    mantissa = round(value / 10.0**exponent)
    if mantissa > _LARGEST and exponent < highest:
        mantissa, exponent = round(mantissa / 10), exponent + 1
    mantissa = min(_LARGEST, mantissa)
    while mantissa and mantissa % 10 == 0 and exponent < highest:
        mantissa, exponent = mantissa // 10, exponent + 1
    return mantissa, exponent


def _letters(value: int, length: int) -> str:
    return "".join(LETTERS[value >> shift & 31] for shift in range(length - _LETTER_BITS, -1, -_LETTER_BITS))


def _checksum(lab: int, bits: _Bits) -> int:
    content = bits.value.to_bytes(-(-bits.length // 8), "big")
    return crc32(bytes([lab]) + content) & (1 << _SUM_BITS) - 1
