"""Where the coordinator and the runs of a cluster leave word for each other; without torch, so it opens at once."""

import asyncio

from nestbench.work.messages import Message

Told = tuple[int, Message]
"""A message, and the number of the flight that it comes from: a run that is tried again flies again."""


class Mailbox:
    """Served by one process beside the coordinator; it dies with it, and whoever waits here learns of that."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[Told] = asyncio.Queue()
        self._asked: dict[int, asyncio.Future[bool]] = {}
        self._stop = asyncio.Event()

    async def tell(self, flight: int, message: Message) -> None:
        """Leave a message for the coordinator."""
        self._told.put_nowait((flight, message))

    async def ask(self, flight: int, message: Message) -> bool:
        """Leave a message for the coordinator, and wait for its answer: whether to end."""
        self._asked[flight] = asyncio.get_running_loop().create_future()
        self._told.put_nowait((flight, message))
        return await self._asked[flight]

    async def answer(self, flight: int, end: bool) -> None:
        """Answer a flight that asked."""
        self._asked.pop(flight).set_result(end)

    async def hear(self) -> Told:
        """Wait for the next message, in the order in which they were left."""
        return await self._told.get()

    async def stop(self) -> None:
        """Let every run know, now and later, that it is to write its checkpoint and let go."""
        self._stop.set()

    async def stopped(self) -> None:
        """Wait until the runs are to stop."""
        await self._stop.wait()
