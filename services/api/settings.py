"""Settings of the API."""

from __future__ import annotations

from pydantic import Field

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
    allowed_origins: str = Field(
        default="",
        description="pages that may open /ws besides the API's own: http://host:port, separated by commas",
    )
    body_timeout_s: float = Field(
        default=60, gt=0, description="how long a client may take to send its request, seconds"
    )
