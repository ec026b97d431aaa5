"""Base64 as others read it: the URL-safe alphabet becomes the standard one, with padding."""

_STANDARD = str.maketrans("-_", "+/")


def standard_base64(text: str) -> str:
    """The same text where it is standard already; never raises."""
    if "-" in text or "_" in text:
        text = text.translate(_STANDARD)
    if "\n" in text or "\r" in text:
        text = "".join(text.split())
    return text + "=" * (-len(text) % 4)
