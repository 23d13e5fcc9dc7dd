"""Only the newest counts: a slot in place of a queue, and one thread that works beside the event loop."""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Newest(Generic[T]):
    """A slot for one value: what nobody has taken yet is replaced by what comes after it.

    Example:
        >>> async def last_of_three():
        ...     slot = Newest()
        ...     for value in range(3):
        ...         slot.put(value)
        ...     return await slot.take()
        >>> asyncio.run(last_of_three())
        2
    """

    def __init__(self) -> None:
        self.value: T | None = None
        self.full = asyncio.Event()

    def put(self, value: T) -> None:
        """Put a value in, in place of what is there."""
        self.value = value
        self.full.set()

    async def take(self) -> T:
        """Wait for a value and take it out."""
        await self.full.wait()
        self.full.clear()
        return cast(T, self.value)


class Worker:
    """One thread for slow calls, so that the event loop goes on reading; it never keeps the process from ending.

    Example:
        >>> asyncio.run(Worker().run(max, 3, 5))
        5
    """

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        """Make the calls, one after the other."""
        while True:
            self.calls.get()()

    async def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """Make a call in the thread; its result or exception is this one's."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                deliver = (answer.set_result, call(*arguments))
            except Exception as error:
                deliver = (answer.set_exception, error)  # type: ignore[assignment]
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle, answer, *deliver)

        self.calls.put(work)
        return await answer


def settle(answer: "asyncio.Future[T]", deliver: Callable[[Any], None], value: Any) -> None:
    """Deliver a value unless nobody waits for it any more."""
    if not answer.done():
        deliver(value)
