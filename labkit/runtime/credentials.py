import json
import secrets
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from labkit.errors import ProjectError
from labkit.runtime.private import write_private
from services.common.signatures import draw_secret


@dataclass(frozen=True)
class Credentials:
    """One project's own secrets, of servers and programs; they never appear in a log or a repr."""

    amqp_user: str = "lab"
    amqp_password: str = field(default="", repr=False)
    erlang_cookie: str = field(default="", repr=False)
    s3_access_key: str = "lab"
    s3_secret_key: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    dashboard_secret: str = field(default="", repr=False)
    jwt_secret: str = field(default="", repr=False)

    @classmethod
    def generate(cls) -> "Credentials":
        """Draw new ones."""
        return cls(
            amqp_password=secrets.token_urlsafe(24),
            erlang_cookie=secrets.token_hex(20),
            s3_secret_key=secrets.token_urlsafe(24),
            webhook_secret=draw_secret(),
            dashboard_secret=secrets.token_urlsafe(32),
            jwt_secret=secrets.token_urlsafe(48),
        )

    @classmethod
    def keep(cls, path: Path) -> "Credentials":
        """Read the credentials kept in the file (mode 0600); draw what it lacks, all on first use.

        Raises ProjectError.
        """
        try:
            kept = cls.decode(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            kept = cls()
        except (ValueError, AttributeError) as error:
            # Not the error itself: it may quote what it could not read.
            raise ProjectError(
                f"{path} cannot be read: it is no JSON object any more.",
                'Mend it; a secret to be drawn anew is an empty text: "jwt_secret": ""',
            ) from error
        lacking = [name for name, value in asdict(kept).items() if not value]
        if not lacking:
            return kept
        fresh = cls.generate()
        whole = replace(kept, **{name: getattr(fresh, name) for name in lacking})
        write_private(path, json.dumps(asdict(whole), indent=2))
        return whole

    @classmethod
    def decode(cls, text: str) -> "Credentials":
        """Read what `keep` wrote; unknown fields are ignored. Raises ValueError."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})
