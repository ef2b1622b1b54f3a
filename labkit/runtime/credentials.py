import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from labkit.runtime.private import write_private


@dataclass(frozen=True)
class Credentials:
    """Passwords of one project's own broker and store; they never appear in a log or a repr."""

    amqp_user: str = "lab"
    amqp_password: str = field(default="", repr=False)
    erlang_cookie: str = field(default="", repr=False)
    s3_access_key: str = "lab"
    s3_secret_key: str = field(default="", repr=False)

    @classmethod
    def generate(cls) -> "Credentials":
        """Draw new ones."""
        return cls(
            amqp_password=secrets.token_urlsafe(24),
            erlang_cookie=secrets.token_hex(20),
            s3_secret_key=secrets.token_urlsafe(24),
        )

    @classmethod
    def keep(cls, path: Path) -> "Credentials":
        """Read the credentials kept in the file; on first use generate them and write it (mode 0600)."""
        try:
            return cls.decode(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            fresh = cls.generate()
            write_private(path, json.dumps(asdict(fresh), indent=2))
            return fresh

    @classmethod
    def decode(cls, text: str) -> "Credentials":
        """Read what `keep` wrote; unknown fields are ignored. Raises ValueError."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})
