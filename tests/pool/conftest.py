"""The authority that signs for the fakes, as in `transport`."""

from transport.conftest import authority

__all__ = ["authority"]
