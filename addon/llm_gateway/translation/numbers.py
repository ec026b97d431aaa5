"""Numbers out of settings: what is none is read as absent."""


def whole(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int else None


def number(value: object) -> float | None:
    """An int stays one: it is written as it came."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value
