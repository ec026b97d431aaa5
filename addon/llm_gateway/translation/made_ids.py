"""Ids that nobody gave: a function of what they are for, the same whenever it is made again."""

from hashlib import blake2b


def made_id(prefix: str, *of: object) -> str:
    """prefix and 24 hexadecimal digits."""
    said = "\0".join(map(str, of)).encode("utf-8", "surrogatepass")
    return prefix + blake2b(said, digest_size=12).hexdigest()
