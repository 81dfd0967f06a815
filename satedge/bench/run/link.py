"""Frames over a socket between the bench and a worker.

A frame is a head of JSON and a body of bytes, their lengths before them. The bench's end never
waits for the other side and takes no more than is allowed: whoever is there runs code of strangers.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from dataclasses import dataclass

_LENGTHS = struct.Struct("<IQ")

#: Most bytes of a head.
HEAD_BYTES = 16 << 20

#: Seconds within which a frame must be whole, from its first byte.
WHOLE_S = 30.0

_PIECE = 1 << 20


class LinkError(Exception):
    """What came is no frame, or not all of one: one line."""


@dataclass(frozen=True)
class Frame:
    """One message."""

    head: bytes
    body: bytes = b""
    began: float = 0.0
    """When its first byte came, by `time.perf_counter`."""

    def packed(self) -> bytes:
        """As it is sent."""
        return _LENGTHS.pack(len(self.head), len(self.body)) + self.head + self.body


class Link:
    """The bench's end."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._unsent = memoryview(b"")
        self._got = bytearray()
        self._began = 0.0

    @property
    def is_amid(self) -> bool:
        """Part of a frame is there."""
        return bool(self._got)

    def send(self, frame: Frame) -> None:
        """Send while `poll` is called."""
        self._unsent = memoryview(bytes(self._unsent) + frame.packed())

    def poll(self, within_s: float, most_bytes: int) -> Frame | None:
        """A frame with at most so many bytes in its body, if one is whole within some seconds.

        Raises EOFError when the other side has closed, ConnectionError, and LinkError.
        """
        frame = self._whole(most_bytes)
        if frame is not None:
            return frame
        writing = [self._end] if self._unsent else []
        readable, writable, _ = select.select([self._end], writing, [], within_s)
        if writable:
            self._unsent = self._unsent[self._end.send(self._unsent[:_PIECE]) :]
        if readable:
            piece = self._end.recv(_PIECE)
            if not piece:
                raise EOFError
            if not self._got:
                self._began = time.perf_counter()
            self._got += piece
        return self._whole(most_bytes)

    def close(self) -> None:
        """Close this end."""
        self._end.close()

    def _whole(self, most_bytes: int) -> Frame | None:
        if not self._got:
            return None
        start = _LENGTHS.size
        if len(self._got) >= start:
            n_head, n_body = _LENGTHS.unpack_from(self._got)
            if n_head > HEAD_BYTES or n_body > most_bytes:
                raise LinkError(
                    f"it sent a message of {n_head} + {n_body} bytes: allowed is at most "
                    f"{HEAD_BYTES} + {most_bytes}"
                )
            end = start + n_head + n_body
            if len(self._got) >= end:
                head, body = self._got[start : start + n_head], self._got[start + n_head : end]
                frame = Frame(bytes(head), bytes(body), self._began)
                del self._got[:end]
                self._began = time.perf_counter()
                return frame
        if time.perf_counter() - self._began > WHOLE_S:
            raise LinkError(f"it sent half a message and no more within {WHOLE_S:g} s")
        return None


def write_frame(end: socket.socket, frame: Frame) -> None:
    """Send a frame and wait until it is sent: the worker's side."""
    end.sendall(frame.packed())


def read_frame(end: socket.socket) -> Frame | None:
    """The next frame; None when the bench has closed."""
    lengths = _exactly(end, _LENGTHS.size)
    if lengths is None:
        return None
    n_head, n_body = _LENGTHS.unpack(lengths)
    head, body = _exactly(end, n_head), _exactly(end, n_body)
    return None if head is None or body is None else Frame(head, body)


def _exactly(end: socket.socket, count: int) -> bytes | None:
    got = bytearray()
    while len(got) < count:
        piece = end.recv(min(_PIECE, count - len(got)))
        if not piece:
            return None
        got += piece
    return bytes(got)
