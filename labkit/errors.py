class LabError(Exception):
    """Something went wrong that a person can mend.

    `message` says what happened, `next_step` what to do about it: a command wherever there is one.
    """

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
