"""Settings of the API."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from services.api.access.origins import AllowedOrigins
from services.api.access.rates import Rate
from services.common.passwords import weakness
from services.common.presign import MAX_EXPIRES_S
from services.common.settings import (
    BrokerSettings,
    DatabaseSettings,
    DoorSettings,
    LayoutSettings,
    LimitSettings,
    Port,
    StorageSettings,
    TargetSettings,
)
from services.common.tokens import MIN_SECRET_BYTES


class ApiSettings(
    DoorSettings,
    BrokerSettings,
    StorageSettings,
    DatabaseSettings,
    LayoutSettings,
    LimitSettings,
    TargetSettings,
):
    """What the API needs to know."""

    port: Port = Field(default=8000, description="HTTP port; 0 picks a free one")
    max_upload_bytes: int = Field(default=20 * 1024 * 1024, gt=0, description="largest file accepted, bytes")
    max_batch_files: int = Field(default=100, gt=0, le=1000, description="most files in one batch")
    max_batch_bytes: int = Field(
        default=200 * 1024 * 1024, gt=0, description="largest batch accepted, bytes of all its files"
    )
    s3_public_endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^/]+)?$",
        description="URL of the S3 server as clients outside write it; empty: the same as LAB_S3_ENDPOINT",
    )
    upload_url_expiry_s: int = Field(
        default=900,
        ge=1,
        le=MAX_EXPIRES_S,
        description="how long a URL for a direct upload is good, seconds",
    )
    sns_topic_arn: str = Field(
        default="",
        max_length=300,
        description="topic whose storage events POST /webhook/sns takes; empty: it takes none",
    )
    sns_certificate: str = Field(
        default="",
        description="certificate of a sender beside Amazon's, as base64 or the path of a PEM file; "
        "empty: no other is trusted",
    )
    max_payload_bytes: int = Field(
        default=64 * 1024, gt=0, description="largest payload of a text job, bytes as JSON"
    )
    max_listeners: int = Field(
        default=500, ge=0, description="most connections to /events and /ws at once, for each API"
    )
    listener_patience_s: float = Field(
        default=10, gt=0, description="a listener that reads nothing for so long is dropped, seconds"
    )
    allowed_origins: AllowedOrigins = Field(
        default="",
        description="pages that may use the API from a browser besides its own: http://host:port, "
        "separated by commas",
    )
    jwt_secret: SecretStr = Field(
        default=SecretStr(""),
        validate_default=True,
        description=f"key that signs the tokens of users, {MIN_SECRET_BYTES} bytes or more; labctl draws one",
    )
    token_ttl_s: int = Field(
        default=3600, ge=60, le=30 * 86400, description="how long somebody stays logged in, seconds"
    )
    registration: Literal["open", "closed"] = Field(
        default="open",
        description="open: everybody may make an account; closed: only an admin does, by labctl",
    )
    admin_password: SecretStr = Field(
        default=SecretStr(""),
        description="with LAB_AUTH=required, the password of the user admin, if there is none yet",
    )
    login_rate: Rate = Field(
        default="10/minute",
        description="how often a user may try to log in; ten times as often from one address",
    )
    upload_rate: Rate = Field(
        default="1200/minute",
        description="how many jobs a user may send; ten times as many from one address",
    )
    body_timeout_s: float = Field(
        default=60, gt=0, description="how long a client may take to send its request, seconds"
    )

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("auth") == "required" and len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(
                f"LAB_AUTH=required needs {MIN_SECRET_BYTES} bytes or more to sign with; labctl draws them, "
                "and so does: openssl rand -base64 32"
            )
        return value

    @field_validator("admin_password")
    @classmethod
    def _strong_enough(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and (why := weakness(value.get_secret_value(), "admin")):
            raise ValueError(why)
        return value
