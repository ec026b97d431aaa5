"""Generation and sequence number of the server's data: is what it knows to be trusted?

What it does not know: connections, clocks.
"""


class Generation:
    """What a member has seen of the data. A new generation: everybody folds anew."""

    def __init__(self) -> None:
        self.name = ""
        self.sequence = 0
        self.doubted = False
        """The server has lost what it had said, or counted by a clock that was set."""
        self.shift = 0.0
        """Seconds by which that clock was set."""

    def see(self, name: str, sequence: int) -> bool:
        """Of each reply in turn; False: its data is older than what was seen."""
        if name != self.name:
            return True
        if sequence <= self.sequence:
            self.doubted = True
            return False
        self.sequence = sequence
        return True

    def doubt(self, shift: float) -> None:
        """The server's clock was set by so much: windows have lost what they held, or hold
        what is not yet."""
        self.doubted = True
        self.shift += shift

    def follow(self, name: str, sequence: int) -> None:
        """From now on this one."""
        if name != self.name:
            # Of the older one nobody knows anything any more, whatever was wrong with it.
            self.renewed(name, sequence)

    def renewed(self, name: str, sequence: int) -> None:
        """Asked for one, because the data was not to be trusted."""
        self.name, self.sequence = name, sequence
        self.doubted, self.shift = False, 0.0
