"""Consumes `charge.created` from the stream CHARGES and prints what it saw as one JSON object.

Arguments: the URL of NATS, how many events to wait for.
"""

import asyncio
import json
import sys

import nats

from contract import compile_contract

compile_contract()

from charge.v1 import event_pb2  # noqa: E402

TIMEOUT_S = 20


async def consume(url: str, count: int) -> list:
    connection = await nats.connect(url, connect_timeout=5, allow_reconnect=False)
    try:
        subscription = await connection.jetstream().pull_subscribe("charge.created", stream="CHARGES")
        seen = []
        while len(seen) < count:
            for message in await subscription.fetch(min(100, count - len(seen)), timeout=TIMEOUT_S):
                event = event_pb2.ChargeCreated.FromString(message.data)
                seen.append(
                    {
                        "subject": message.subject,
                        "headers": message.headers,
                        "event_id": event.event_id,
                        "sequence": event.sequence,
                        "tenant": event.tenant,
                        "charge_id": event.charge.id,
                        "reference": event.charge.reference,
                        "prompt_tokens": event.charge.prompt_tokens,
                    }
                )
                await message.ack()
        return seen
    finally:
        await connection.close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(consume(sys.argv[1], int(sys.argv[2])))))
