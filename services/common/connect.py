"""The real bodies of the seams, made from settings."""

from __future__ import annotations

from services.common.amqp import AmqpBroker
from services.common.settings import BrokerSettings, StorageSettings
from services.common.storage import S3Store
from services.common.topology import declarations


def open_broker(settings: BrokerSettings, name: str) -> AmqpBroker:
    """Return a broker that connects when it is entered; `name` is shown on the management page."""
    return AmqpBroker(
        settings.amqp_url.get_secret_value(),
        name=name,
        topology=declarations(),
        confirm_timeout_s=settings.confirm_timeout_s,
    )


def open_store(settings: StorageSettings, public_endpoint: str = "") -> S3Store:
    """Return the object store; `public_endpoint` is its address in URLs for clients outside."""
    return S3Store(
        settings.s3_endpoint,
        settings.s3_access_key,
        settings.s3_secret_key.get_secret_value(),
        settings.s3_bucket,
        public_endpoint,
    )
