"""What the operation `metadata` tells of an image, and what no result tells."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Mapping

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from tests.unit.processors.pictures import opened, quarters, run, saved

SECRET = b"Elm Street 13"
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")


def camera_notes() -> Image.Exif:
    """Return the notes of a camera that knows where it is, and says so in two places."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Acme"
    exif[ExifTags.Base.Model] = "Box 1"
    exif[ExifTags.Base.DateTime] = "2026:05:04 03:02:01"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.ExposureTime] = 0.008
    details[ExifTags.Base.ISOSpeedRatings] = 200
    details[ExifTags.Base.LensSpecification] = (24.0, 70.0, 2.8, 4.0)
    details[ExifTags.Base.MakerNote] = b"serial and " + SECRET
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (51.0, 30.0, 12.5)
    place[ExifTags.GPS.GPSAreaInformation] = b"ASCII\0\0\0" + SECRET
    return exif


def geotagged(name: str) -> bytes:
    """Return a file that tells the place in EXIF, and in a comment or XMP where the format has them."""
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>'
        + SECRET
        + b"</exif:GPSLatitude></x:xmpmeta>"
    )
    exif = camera_notes()
    options: dict[str, object] = {}
    if name in ("JPEG", "WEBP"):
        options["xmp"] = xmp
    if name == "JPEG":
        options["comment"] = SECRET
    if name == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())  # type: ignore[attr-defined]
        options["pnginfo"].add_text("Comment", SECRET.decode())  # type: ignore[attr-defined]
    if name == "TIFF":
        exif[ExifTags.Base.XMLPacket] = xmp
    return saved(quarters(80, 40), name, exif=exif.tobytes(), **options)


def report(data: bytes, operations: str = "metadata") -> dict[str, object]:
    (output,) = run(data, operations).reports
    assert (output.name, output.content_type, output.width, output.height) == (
        "metadata",
        "application/json",
        0,
        0,
    )
    told = json.loads(output.data)
    assert isinstance(told, dict)
    return told


def places(data: bytes) -> Mapping[int, object]:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image.getexif().get_ifd(ExifTags.IFD.GPSInfo)


@pytest.mark.parametrize("name", FORMATS)
def test_metadata_tells_what_a_file_is(name: str) -> None:
    """Format, size, mode, EXIF and hash of the original stand in a JSON file beside the result."""
    original = geotagged(name)
    told = report(original)
    exif = told.pop("exif")
    assert told == {
        "format": name,
        "content_type": f"image/{name.lower()}",
        "bytes": len(original),
        "sha256": hashlib.sha256(original).hexdigest(),
        "width": 80,
        "height": 40,
        "mode": "RGB",
        "animated": False,
        "gps_dropped": True,
    }
    assert isinstance(exif, dict)
    assert {key: exif[key] for key in ("Make", "Model", "DateTime", "ExposureTime", "ISOSpeedRatings")} == {
        "Make": "Acme",
        "Model": "Box 1",
        "DateTime": "2026:05:04 03:02:01",
        "ExposureTime": 0.008,
        "ISOSpeedRatings": 200,
    }
    assert exif["LensSpecification"] == [24, 70, 2.8, 4]
    assert not {"GPSInfo", "MakerNote", "XMLPacket"} & exif.keys()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "operations", ["metadata", "sleep,0;metadata;thumbnail,64", "metadata;rotate,0", "resize,40", "flip"]
)
def test_no_result_tells_the_place(name: str, operations: str) -> None:
    """With `metadata`, and after every change, no output has GPS, XMP, maker notes or comments."""
    original = geotagged(name)
    assert SECRET in original
    assert places(original)
    for output in run(original, operations).outputs:
        assert SECRET not in output.data
        assert b"GPSLatitude" not in output.data
        if output.width:
            assert not places(output.data)
            assert not opened(output).getexif().get(ExifTags.Base.Make)


def test_an_unchanged_file_keeps_everything() -> None:
    """Where nothing was asked that changes or describes the image, its bytes come back, notes included."""
    assert run(geotagged("JPEG"), "sleep,0").result.data == geotagged("JPEG")


def test_metadata_looks_at_the_original() -> None:
    """Whatever happens to the image before or after, the report is of the file that came, and stands once."""
    original = saved(quarters(2000, 1000), "JPEG")
    told = report(original, "resize,100;metadata;grayscale;convert,png;metadata")
    assert (told["format"], told["width"], told["height"], told["mode"]) == ("JPEG", 2000, 1000, "RGB")
    assert [output.name for output in run(original, "metadata;metadata").outputs] == [
        "result",
        "thumbnail",
        "metadata",
    ]
    assert run(original, "resize").reports == ()


@pytest.mark.parametrize(("name", "mode"), [("PNG", "I;16"), ("JPEG", "CMYK"), ("GIF", "P"), ("BMP", "1")])
def test_metadata_names_the_mode_as_stored(name: str, mode: str) -> None:
    """The mode is that of the file, though operations see another one; no notes is an empty object."""
    image = Image.new("I;16", (4, 4)) if mode == "I;16" else quarters(mode=mode)
    told = report(saved(image, name))
    assert (told["mode"], told["exif"], told["gps_dropped"]) == (mode, {}, False)


def test_metadata_counts_an_animation() -> None:
    """An animation is called so."""
    assert report(saved(quarters(), "GIF", save_all=True, append_images=[Image.new("RGB", (40, 20))]))[
        "animated"
    ]


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")


def notes(*entries: bytes, rest: bytes = b"") -> bytes:
    """Return an EXIF block of these entries; `rest` follows at 14 + 12 times their number."""
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    return b"Exif\0\0" + head + b"".join(entries) + bytes(4) + rest


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        notes(entry(0x010F, 2, 0xFFFF_FFFF, b"\x08")),
        notes(entry(0x8769, 4, 1, b"\x08")),
        notes(entry(0x8769, 4, 1, b"\xff\xff\xff\xff")),
        notes(entry(0x8769, 5, 1, b"\x1a"), rest=bytes(8)),
        notes(entry(0x8825, 2, 4, b"abc")),
        notes(entry(0x0112, 2, 4, b"abc")),
        notes(entry(0x0112, 3, 1, b"\x63")),
        notes(entry(0x011A, 5, 1, b"\x1a"), rest=struct.pack("<II", 1, 0)),
        notes(entry(0x011A, 12, 1, b"\x1a"), rest=struct.pack("<d", float("inf"))),
        notes(entry(0x010F, 2, 3000, b"\x1a"), rest=b"A" * 3000),
        notes(*[entry(tag, 3, 1, b"\1") for tag in range(300)]),
    ],
)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_odd_notes_do_no_harm(exif: bytes, name: str) -> None:
    """Notes that are broken, loop, point nowhere or hold no numbers leave a short and valid report."""
    told = report(saved(quarters(), name, exif=exif))
    assert len(json.dumps(told)) < 10_000
    assert opened(run(saved(quarters(), name, exif=exif), "flip").result).size == (40, 20)
