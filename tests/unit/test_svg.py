"""A screen as a picture for the pages."""

from __future__ import annotations

from rich.text import Text

from labkit.views.svg import svg_of


def test_a_screen_becomes_a_picture_that_needs_nothing_else() -> None:
    """Its words are in it, and no address that a browser would fetch something from."""
    svg = svg_of(Text("healthy", style="green"), 40)
    assert "healthy" in svg
    assert svg.count("http") == svg.count("http://www.w3.org/2000/svg")
