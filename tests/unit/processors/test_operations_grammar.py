from __future__ import annotations

import contextlib
import inspect
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import PermanentError
from services.worker import processors
from services.worker.processors import BadOperation, catalogue, format_operations, parse_operations

NAMES = (
    "compress",
    "convert",
    "crop",
    "filter",
    "flip",
    "force_resize",
    "grayscale",
    "metadata",
    "optimize",
    "resize",
    "rotate",
    "sleep",
    "thumbnail",
    "watermark",
)
CANONICAL = {
    "resize,watermark": "resize,800x600;watermark,Queue Lab",
    "rotate,90;resize,800x600": "rotate,90;resize,800x600",
    "rotate,90|resize,800x600": "rotate,90;resize,800x600",
    "resize,800x600,watermark": "resize,800x600;watermark,Queue Lab",
    "resize,800": "resize,800x",
    "resize,800x": "resize,800x",
    "resize,x600": "resize,x600",
    "resize,8X6,cover": "resize,8x6,cover",
    "resize,8x6,fit": "resize,8x6",
    "force_resize,700x700": "force_resize,700x700",
    "rotate": "rotate,90",
    "rotate,-90": "rotate,270",
    "rotate,360": "rotate,0",
    "rotate,12.50": "rotate,12.5",
    "convert,JPG": "convert,jpeg",
    "convert,tif": "convert,tiff",
    "filter": "filter,blur,2",
    "filter,blur,2.5": "filter,blur,2.5",
    "filter,edge": "filter,edge",
    "thumbnail": "thumbnail,128",
    "thumbnail,64,256": "thumbnail,64,256",
    "sleep,3": "sleep,3",
    "sleep,0.25": "sleep,0.25",
    "watermark,one,two": "watermark,one, two",
    "compress": "compress,60",
    "compress,95;metadata": "compress,95;metadata",
    "metadata,grayscale": "metadata;grayscale",
    "crop,300x200": "crop,300x200",
    "crop,10,0,300,200": "crop,10,0,300,200",
    "flip": "flip,horizontal",
    "flip,vertical,flip": "flip,vertical;flip,horizontal",
    "optimize": "optimize,mobile,webp",
    "optimize,desktop": "optimize,desktop,webp",
    "optimize,tablet,JPG": "optimize,tablet,jpeg",
    " rotate , 90 ;; resize,;": "rotate,90;resize,800x600",
}
BAD = {
    "frobnicate": "frobnicate",
    "90,rotate": "90",
    "rotate,90;800x600": "800x600",
    "resize,watermrk": "watermrk",
    "resize,800x600,zoom": "zoom",
    "resize,0x5": "0x5",
    "resize,x": "'x'",
    "resize,7001x5": "7001x5",
    "resize,800,cover": "800",
    "force_resize,x600": "x600",
    "rotate,90,180": "180",
    "rotate,nan": "nan",
    "rotate,1e2": "1e2",
    "rotate,361": "361",
    "rotate,٣": "٣",
    "convert": "convert",
    "convert,svg": "svg",
    "filter,blur,51": "51",
    "filter,edge,2": "2",
    "filter,swirl": "swirl",
    "thumbnail,8": "8",
    "thumbnail,64.5": "64.5",
    "thumbnail,16,17,18,19,20,21": "6",
    "sleep,61": "61",
    "sleep,-1": "-1",
    "compress,0": "'0'",
    "compress,96": "96",
    "compress,60.5": "60.5",
    "crop": "0 values",
    "crop,10,20": "2 values",
    "crop,1,2,3,4,5": "5 values",
    "crop,800": "800",
    "crop,-1,0,5,5": "-1",
    "crop,0,0,0,5": "'0'",
    "crop,0,0,5,7001": "7001",
    "flip,sideways": "sideways",
    "grayscale,50": "50",
    "metadata,gps": "gps",
    "optimize,watch": "watch",
    "optimize,mobile,gif": "gif",
    "watermark,Grüße": "Grüße",
    "watermark,a\tb": "a\\tb",
}

tokens = st.sampled_from(
    [
        *NAMES,
        "800x600",
        "x5",
        "90",
        "-7.5",
        "png",
        "JPG",
        "blur",
        "edge",
        "cover",
        "64",
        "0.25",
        "7",
        "vertical",
        "tablet",
        "webp",
        "Hi there",
        "",
    ]
)
sentences = st.lists(st.tuples(tokens, st.sampled_from([",", ";", "|", " , "])), max_size=14).map(
    lambda pairs: "".join(token + separator for token, separator in pairs)
)


@pytest.mark.parametrize(("text", "canonical"), CANONICAL.items())
def test_text_becomes_canonical(text: str, canonical: str) -> None:
    """Every way to write operations has one canonical text, in the same order."""
    assert format_operations(parse_operations(text)) == canonical


@pytest.mark.parametrize("text", [None, "", "  ", ";|,"])
def test_nothing_means_resize(text: str | None) -> None:
    """Without operations an image is resized."""
    assert format_operations(parse_operations(text)) == "resize,800x600"


@pytest.mark.parametrize(("text", "named"), BAD.items())
def test_bad_text_is_named(text: str, named: str) -> None:
    """What cannot be read is named, and what is known is listed."""
    with pytest.raises(BadOperation) as caught:
        parse_operations(text)
    assert isinstance(caught.value, PermanentError)
    assert caught.value.code == "bad_operation"
    message = str(caught.value)
    assert named in message
    assert "Known operations: " + ", ".join(catalogue()) in message
    assert len(message) < 450


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("rotate;" * 11, "10"),
        ("resize," * 200, "1000"),
        ("watermark," + "x" * 81, "80"),
        ("sleep,40;sleep,30", "60"),
    ],
)
def test_too_much_is_refused(text: str, limit: str) -> None:
    """Length, number of operations, length of a token and time asleep have limits that the message names."""
    with pytest.raises(BadOperation, match=limit):
        parse_operations(text)


@settings(derandomize=True)
@given(
    st.one_of(
        st.text(max_size=60), sentences, sentences.flatmap(lambda t: st.text().map(lambda end: t + end))
    )
)
def test_any_text_parses_or_is_refused(text: str) -> None:
    """No text does anything else than parse or raise the one typed error."""
    with contextlib.suppress(BadOperation):
        parse_operations(text)


@settings(derandomize=True)
@given(sentences)
def test_canonical_text_parses_back(text: str) -> None:
    """Canonical text parses to equal operations and fits into a message."""
    try:
        operations = parse_operations(text)
    except BadOperation:
        return
    canonical = format_operations(operations)
    assert parse_operations(canonical) == operations
    assert hash(parse_operations(canonical)) == hash(operations)
    assert len(canonical) <= 1000


def test_every_file_is_the_operation_of_its_name() -> None:
    """The catalogue holds the operations in order, each in the file of its name, with a help line."""
    assert set(NAMES) <= set(catalogue())
    assert list(catalogue()) == sorted(catalogue())
    for name, kind in catalogue().items():
        assert kind.__module__ == f"{processors.__name__}.{name}"
        assert inspect.getdoc(kind)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_usage_is_true(name: str) -> None:
    """What the usage line shows can be parsed."""
    for example in catalogue()[name].usage.split(" or "):
        assert parse_operations(example)[0].name == name


def test_operations_are_frozen() -> None:
    """An operation cannot be changed after it was read."""
    (operation,) = parse_operations("rotate,90")
    with pytest.raises(FrozenInstanceError):
        operation.degrees = 180  # type: ignore[attr-defined]


def test_import_has_no_side_effects() -> None:
    """Importing the package prints nothing, starts no thread and leaves the warning filters alone."""
    code = (
        "import threading, warnings; before = list(warnings.filters)\n"
        "from services.worker.processors import catalogue; catalogue()\n"
        "assert warnings.filters == before and threading.active_count() == 1"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
