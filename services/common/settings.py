"""Settings shared by the programs: read once from the environment in each `__main__`, then passed down.

A program's own class picks what it needs from these and adds its own fields. Every field has a unit in its
name where it has one, a default that works on one machine, and a help text; `.env.example` is held to them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.topology import Layout


def _like(pattern: str, example: str) -> AfterValidator:
    def check(url: SecretStr | str) -> SecretStr | str:
        text = url.get_secret_value() if isinstance(url, SecretStr) else url
        if not re.match(pattern, text):
            raise ValueError(f"must look like {example}")
        return url

    return AfterValidator(check)


Port = Annotated[int, Field(ge=0, le=65535)]
Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda value: str(value).upper())
]
AmqpUrl = Annotated[SecretStr, _like(r"amqps?://[^/]*[^/@:]", "amqp://user:password@host:5672/")]
HttpUrl = Annotated[str, _like(r"https?://[^/]", "http://host:9000")]
DatabaseUrl = Annotated[
    SecretStr, _like(r"(sqlite|postgresql)(\+\w+)?://", "sqlite:////path/lab.db or postgresql+psycopg://…")
]


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LAB_", extra="ignore", frozen=True)


class ProgramSettings(_Settings):
    """What every program has."""

    instance: str = Field(
        default="", max_length=100, description="name in logs and on the monitor, e.g. worker-2"
    )
    host: str = Field(default="127.0.0.1", description="address that the program listens on")
    port: Port = Field(default=0, description="HTTP port; 0 picks a free one")
    log_level: Level = Field(
        default="INFO",
        validation_alias=AliasChoices("LOG_LEVEL", "log_level"),
        description="DEBUG, INFO, WARNING or ERROR",
    )


class DoorSettings(ProgramSettings):
    """What every program has that serves people: who is let in, and from where."""

    auth: Literal["off", "required"] = Field(
        default="off", description="off: whoever reaches it may do everything; required: users log in"
    )
    open_to_network: bool = Field(
        default=False,
        validate_default=True,
        description="with LAB_AUTH=off, listen on an address that others reach, true or false",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        max_length=1000,
        description="reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: "
        "addresses or networks, separated by commas",
    )

    @field_validator("open_to_network")
    @classmethod
    def _told_twice(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  (pydantic's shape)
        """Refuse to let the network in by one setting alone."""
        host = info.data.get("host", "127.0.0.1")
        if not value and info.data.get("auth") == "off" and not is_loopback(host):
            raise ValueError(
                f"without LAB_AUTH=required everybody who reaches {host or 'this machine'} may do "
                "everything; set that, or LAB_OPEN_TO_NETWORK=true if it is meant"
            )
        return value


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a program that listens there; of another name nobody knows."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class BrokerSettings(_Settings):
    """Where RabbitMQ is."""

    amqp_url: AmqpUrl = Field(
        default=SecretStr("amqp://guest:guest@127.0.0.1:5672/"), description="AMQP URL of the broker"
    )
    confirm_timeout_s: float = Field(
        default=10, gt=0, description="how long a publish may stay unconfirmed, seconds"
    )


class StorageSettings(_Settings):
    """Where the object store is."""

    s3_endpoint: HttpUrl = Field(default="http://127.0.0.1:9000", description="URL of the S3 server")
    s3_access_key: str = Field(default="lab", description="S3 access key")
    s3_secret_key: SecretStr = Field(default=SecretStr("lab-secret"), description="S3 secret key")
    s3_bucket: str = Field(default="lab", description="bucket of originals, results and thumbnails")


class DatabaseSettings(_Settings):
    """Where the job table is."""

    database_url: DatabaseUrl = Field(
        default=SecretStr("sqlite:///lab.db"), description="SQLAlchemy URL: SQLite or PostgreSQL"
    )


class LayoutSettings(_Settings):
    """How image jobs are spread over work queues."""

    layout: Layout = Field(default="single", description="single, or per-operation: a queue for each pool")


class TargetSettings(_Settings):
    """Where webhooks may go."""

    webhook_allow_private: bool = Field(
        default=False,
        description="let webhooks go to this machine and to private networks, true or false",
    )


class LimitSettings(_Settings):
    """Bounds that publishers and consumers agree on."""

    max_pixels: int = Field(
        default=50_000_000, gt=0, description="largest image accepted, width times height, pixels"
    )
    max_processing_time_s: float = Field(
        default=5, gt=0, le=3600, description="longest work a text or sleep job may ask for, seconds"
    )
