"""Pictures of a running stack for the pages: the dashboard in a browser, and the monitor.

Both are real. A workload goes through the stack meanwhile: landscapes and pages of text, some that cannot be
done, and then a burst.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image

from labkit.errors import LabError
from labkit.install import programs
from labkit.uploads import follow, send
from test_images import generate_sample

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from labkit.client import ApiClient

# Nothing that leaves this machine, and nothing that asks for a display.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--explicitly-allowed-ports=10080",  # a browser refuses this one, and a port offset may lead to it
)
OPERATIONS = (
    "resize,800x600;watermark,Queue Lab",
    "grayscale;resize,640",
    "filter,contour;resize,800",
    "rotate,180;compress,50",
    "thumbnail,128,512;convert,webp",
    "force_resize,600x600",
)
NAMES = ("harbour", "dunes", "night ride", "ridge", "first light", "valley", "moonrise", "far hills")
QUIET_JOBS, QUIET_S = 40, 1.5
"""Jobs that come one by one before the burst, and the time between two: charts need a past."""
BURST = 70
HEAD_START_S = 8.0
"""How long the burst is under way when the pictures are taken."""
LARGEST_BYTES = 240_000
SEEN = "[...document.images].every(i => i.naturalWidth || i.getBoundingClientRect().top > innerHeight)"
"""Whether all pictures that can be seen are there."""

Watch = Callable[[Callable[[], bool]], str]
"""Watches the stack until it is told that this is enough; returns the monitor's screen of then as SVG."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of the dashboard."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"


MAIN = Shot("dashboard", 1440, 900)
VARIANTS = tuple(
    Shot(f"dashboard-{width}-{scheme}", width, height, scheme)
    for width, height in ((1440, 900), (1024, 768), (390, 844))
    for scheme in (("light", "dark") if width != MAIN.width else ("dark",))
)


def take(client: ApiClient, address: str, monitor: Watch, places: Mapping[Shot, Path], screen: Path) -> None:
    """Send a workload, and take the pictures meanwhile. Raises LabError.

    address: of the dashboard. places: where each picture of it goes. screen: where the monitor's goes.
    """
    path = programs.find("chromium")
    if path is None:
        raise LabError(
            "Chromium is not installed.", "Install it: labctl test --yes does, or your package manager"
        )
    asyncio.run(_take(client, address, monitor, places, screen, path))


async def _take(
    client: ApiClient, address: str, monitor: Watch, places: Mapping[Shot, Path], screen: Path, chromium: str
) -> None:
    from playwright.async_api import async_playwright  # noqa: PLC0415 - of the group `test`

    async with client, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        with _pictures() as paths:
            enough = threading.Event()
            watching = asyncio.create_task(asyncio.to_thread(monitor, enough.is_set))
            # Opened before anything happens: what a dashboard has not seen is not in its charts.
            pages = [(await _open(browser, address, shot), place) for shot, place in places.items()]
            await _before(client, paths)
            sending = asyncio.create_task(_burst(client, paths))
            await asyncio.sleep(HEAD_START_S)
            enough.set()
            for page, place in pages:
                await page.wait_for_function(SEEN)
                _keep(await page.screenshot(), place)
            await _draw(browser, await watching, screen)
            await sending
        await browser.close()


@contextmanager
def _pictures() -> Iterator[list[Path]]:
    """Give picture files to send."""
    with tempfile.TemporaryDirectory() as folder:
        made = [(f"{name}.jpg", generate_sample.photo(1200, 800, seed)) for seed, name in enumerate(NAMES, 1)]
        made += [("letter.jpg", generate_sample.text(seed=1)), ("grid.jpg", generate_sample.grid(960, 540))]
        paths = [Path(folder) / name for name, _ in made]
        for path, (_, data) in zip(paths, made, strict=True):
            path.write_bytes(data)
        yield paths


async def _before(client: ApiClient, paths: Sequence[Path]) -> None:
    """Have some jobs done, and three that cannot be."""
    sent = []
    for path in paths[:3]:
        sent += await send(client, [path], "crop,5000,5000,100,100")
    for number in range(QUIET_JOBS):
        operations = OPERATIONS[number % len(OPERATIONS)]
        sent += await send(client, [paths[number % len(paths)]], operations)
        await asyncio.sleep(QUIET_S)
    await follow(client, sent)


async def _burst(client: ApiClient, paths: Sequence[Path]) -> None:
    for number in range(BURST):
        await send(client, [paths[number % len(paths)]], f"sleep,0.3;{OPERATIONS[number % len(OPERATIONS)]}")


async def _open(browser: Browser, address: str, shot: Shot) -> Page:
    context = await browser.new_context(
        viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.scheme
    )
    page = await context.new_page()
    await page.goto(address)
    await page.locator(".charts canvas").nth(1).wait_for(state="attached")
    return page


async def _draw(browser: Browser, svg: str, place: Path) -> None:
    context = await browser.new_context(offline=True, device_scale_factor=1.5)
    page = await context.new_page()
    await page.set_content(f'<body style="margin: 0">{svg}</body>')
    _keep(await page.locator("svg").screenshot(omit_background=True), place)
    await context.close()


def _keep(data: bytes, place: Path) -> None:
    """Write a picture; one that would be large has fewer colours."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(data)) as image:
        picture = image.convert("RGB")
    picture.save(place, "PNG", optimize=True)
    if place.stat().st_size > LARGEST_BYTES:
        picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE).save(
            place, "PNG", optimize=True
        )
