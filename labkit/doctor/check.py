"""What a check answers."""

from typing import Callable, List, NamedTuple, Optional


class Result(NamedTuple):
    """The answer of one check. A result that is not known is never a pass.

    `ok`: True, False, or None for "not known". An optional check never answers False: what it misses is a
    note. `fix` is the command that mends it, "" when there is nothing to mend.
    """

    name: str
    ok: Optional[bool]
    detail: str
    fix: str = ""
    optional: bool = False

    @property
    def passed(self) -> bool:
        """Tell whether the kit can be used as far as this check goes."""
        return self.ok is True or (self.ok is None and self.optional)

    @property
    def word(self) -> str:
        """Return the state in one word: ok, failed, note or unknown."""
        if self.ok is None:
            return "note" if self.optional else "unknown"
        return "ok" if self.ok else "failed"


Check = Callable[[], Result]
Results = List[Result]


def only_noted(results: Results) -> Results:
    """Turn what is missing into notes: it is about something that is not needed here."""
    return [
        result if result.ok else result._replace(ok=None, optional=True, detail=f"{result.detail} (optional)")
        for result in results
    ]


def passed(results: Results) -> bool:
    """Tell whether all of `results` pass."""
    return all(result.passed for result in results)
