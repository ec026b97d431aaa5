"""Generation and sequence number of the server's data: does it know less than it has said?

What it does not know: connections.
"""


class Generation:
    """What a member has seen of the data. A new generation: everybody folds anew."""

    def __init__(self) -> None:
        self.name = ""
        self.sequence = 0
        self.older = False
        """The server has lost what it had said."""

    def see(self, name: str, sequence: int) -> bool:
        """Of each reply in turn; False: its data is older than what was seen."""
        if name != self.name:
            return True
        if sequence <= self.sequence:
            self.older = True
            return False
        self.sequence = sequence
        return True

    def follow(self, name: str, sequence: int) -> None:
        """From now on this one."""
        if name != self.name:
            self.name, self.sequence = name, sequence

    def renewed(self, name: str, sequence: int) -> None:
        """Asked for one, because the data was older."""
        self.name, self.sequence, self.older = name, sequence, False
