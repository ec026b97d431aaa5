"""A socket that hears nothing any more, as after sleep: its kernel drops every packet that comes
in (a socket filter that takes none), so that nothing is acknowledged and nobody is told."""

import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)


def deafen(wire: socket.socket) -> None:
    """Linux only."""
    code = ctypes.create_string_buffer(_DROP_ALL)
    program = struct.pack("HxxxxxxP", 1, ctypes.addressof(code))
    wire.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
