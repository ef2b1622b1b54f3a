"""The image formats of the kit, and how each is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

# Pillow would load all of its forty plugins instead when it meets one of these two.
from PIL import TiffImagePlugin, WebPImagePlugin  # noqa: F401 - importing registers them

TOP_QUALITY = 95
"""Above this a JPEG only grows."""


@dataclass(frozen=True, slots=True)
class Format:
    """One image format: `options` are those of Pillow's encoder, `max_side` is in pixels.

    `profiled` formats carry a colour profile. Where size counts, `small` joins the options, and a format
    with `palette` keeps 256 colours only.
    """

    content_type: str
    transparency: Literal["smooth", "on-off", "none"] = "smooth"
    max_side: int = 2**31 - 1
    profiled: bool = True
    options: Mapping[str, object] = field(default_factory=dict)
    small: Mapping[str, object] = field(default_factory=dict)
    palette: bool = False


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a result is written: a name of `FORMATS`, and a quality of 1 to 95 or the format's default."""

    format: str
    quality: int | None = None

    @property
    def small(self) -> bool:
        """Whether size counts more than the last bit of quality."""
        return self.quality is not None and self.quality < TOP_QUALITY


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "JPEG": Format(
            "image/jpeg",
            transparency="none",
            max_side=65_500,
            options={"quality": 85},
            small={"optimize": True},
        ),
        # Level 3 of zlib-ng: 170 ms for the 1200x1600 photo and 54 ms for the text page of the workloads.
        # Pillow's default, level 6: 430 and 90 ms, for files that are 0.5% and 10% larger.
        "PNG": Format("image/png", options={"compress_level": 3}, palette=True),
        "WEBP": Format("image/webp", max_side=16_383, options={"quality": 80}),
        "GIF": Format("image/gif", transparency="on-off", max_side=65_535, profiled=False),
        "BMP": Format("image/bmp", transparency="none", profiled=False),
        "TIFF": Format("image/tiff", options={"compression": "tiff_lzw"}),
    }
)
