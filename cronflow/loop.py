"""One thread's loop: it waits for descriptors and for moments of the awake clock, and calls back."""

import heapq
import select
from collections.abc import Callable

from cronflow import clock


class Loop:
    """Callbacks by descriptor and by moment. `turns` counts how often it has come around."""

    def __init__(self) -> None:
        """Nothing to wait for yet."""
        self._poller = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.turns = 0

    def at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back once, at or soon after `when` on the awake clock."""
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, callback))

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, so many seconds from now."""
        self.at(clock.awake() + seconds, callback)

    def every(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back again and again."""

        def ring() -> None:
            callback()
            self.after(seconds, ring)

        self.after(seconds, ring)

    def attach(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back whenever `fd` can be read. Raises OSError where it can't be waited for."""
        self._poller.register(fd, select.EPOLLIN)
        self._callbacks[fd] = callback

    def detach(self, fd: int) -> None:
        """Wait for this descriptor no more; to be called before it is closed."""
        self._poller.unregister(fd)
        del self._callbacks[fd]

    def turn(self) -> None:
        """Wait for the next thing, and call back for all that has happened."""
        self.turns += 1
        timeout = max(0.0, self._timers[0][0] - clock.awake()) if self._timers else -1
        for fd, _ in self._poller.poll(timeout):
            callback = self._callbacks.get(fd)
            if callback is not None:
                callback()
        now = clock.awake()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
