"""Faults that are switched on at run time: one small object in the store, announced by an event.

A worker reads the object when it starts and whenever `control.changed` says so; so a respawned worker has
the faults in force too. The event carries nothing: what counts is the object.
"""

from __future__ import annotations

import io
import uuid

from pydantic import Field

from services.common.broker import Broker, Outgoing
from services.common.errors import ObjectMissing
from services.common.messages import Message
from services.common.storage import ObjectStore
from services.common.topology import CONTROL, EVENTS

KEY = "control/faults.json"
MAX_DELAY_S = 60.0


class Faults(Message):
    """What goes wrong on purpose. All zero and empty: nothing."""

    fail_rate: float = Field(default=0, ge=0, le=1, description="share of attempts that fail, transiently")
    delays_s: dict[str, float] = Field(
        default_factory=dict, description="operation (or text) → extra seconds before the work"
    )
    store_latency_s: float = Field(
        default=0, ge=0, le=MAX_DELAY_S, description="extra seconds before each call to the object store"
    )

    @property
    def active(self) -> bool:
        """Whether anything is switched on."""
        return bool(self.fail_rate or self.delays_s or self.store_latency_s)


def read_faults(store: ObjectStore) -> Faults:
    """Return the faults in force. Blocks; raise `StorageUnavailable`."""
    try:
        return Faults.decode(store.get(KEY))
    except ObjectMissing:
        return Faults()


def write_faults(store: ObjectStore, faults: Faults) -> None:
    """Put faults into force for all who read from now on. Blocks; raise `StorageUnavailable`."""
    body = faults.encode()
    store.put(KEY, io.BytesIO(body), len(body), "application/json")


async def announce_faults(broker: Broker) -> None:
    """Tell running workers to read the faults again; raise `BrokerUnavailable`."""
    await broker.publish(
        Outgoing(exchange=EVENTS, routing_key=CONTROL, body=b"{}", message_id=uuid.uuid4().hex)
    )
