class LabError(Exception):
    """Root of all errors of the instrument: one sentence says what happened, another one what to do next.

    It lives here because labctl.py needs it on every Python; `labkit.errors` has the whole tree.
    """

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message, next_step)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}"
