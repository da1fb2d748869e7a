"""Room in memory that several images share: small ones are worked on side by side, large ones alone."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

_ALONE = 4
"""An image that would take all room enters when others hold no more than this part of it."""


class Room:
    """Lets images in by their order and size.

    Parameters
    ----------
    most : int
        Pixels that may be worked on at a time.
    """

    def __init__(self, most: int) -> None:
        """Start empty."""
        self.most = most
        self._held: dict[int, int] = {}
        self._turn = self._places = 0
        self._gone: set[int] = set()
        self._closed = False
        self._changed = threading.Condition()

    def place(self) -> Place:
        """Return the place of the next image; nothing is held yet."""
        self._places += 1
        return Place(self, self._places - 1)

    def close(self) -> None:
        """Let nobody in any more: who waits is told so by `concurrent.futures.CancelledError`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, number: int) -> None:
        """Wait until it is the turn of an image."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._turn >= number)
            if self._closed:
                raise CancelledError

    def hold(self, number: int, pixels: int) -> None:
        """Wait until it is the turn of an image and there is room for it, and take that."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._turn == number and self._fits(pixels)))
            if self._closed:
                raise CancelledError
            self._held[number] = pixels
            self._pass(number)

    def change(self, number: int, pixels: int) -> None:
        """Let an image hold less from now on, nothing for 0; one that never entered is passed over."""
        with self._changed:
            self._held.pop(number, None)
            if pixels:
                self._held[number] = pixels
            else:
                self._pass(number)
            self._changed.notify_all()

    def _fits(self, pixels: int) -> bool:
        held = sum(self._held.values())
        return held + pixels <= self.most or held <= self.most // _ALONE

    def _pass(self, number: int) -> None:
        if number >= self._turn:
            self._gone.add(number)
        while self._turn in self._gone:
            self._gone.remove(self._turn)
            self._turn += 1
        self._changed.notify_all()


class Place:
    """What one image holds of a room.

    Parameters
    ----------
    room : Room
    number : int
        Its place in the order.
    """

    def __init__(self, room: Room, number: int) -> None:
        """Hold nothing yet."""
        self._room = room
        self._number = number

    @property
    def most(self) -> int:
        """Pixels that may be worked on at a time, of all images."""
        return self._room.most

    def wait(self) -> None:
        """Wait until all images before this one have entered.

        Raises
        ------
        concurrent.futures.CancelledError
            If the room is closed meanwhile.
        """
        self._room.wait(self._number)

    def enter(self, pixels: int) -> None:
        """Take room; waits until there is.

        Parameters
        ----------
        pixels : int

        Raises
        ------
        concurrent.futures.CancelledError
            If the room is closed meanwhile.
        """
        self._room.hold(self._number, pixels)

    def shrink(self, pixels: int) -> None:
        """Hold no more than so many pixels from now on."""
        self._room.change(self._number, pixels)

    def leave(self) -> None:
        """Give all of it back; also when nothing was taken, so that others need not wait for this image."""
        self._room.change(self._number, 0)
