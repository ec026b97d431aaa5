"""Prompt size: an estimate of tokens, without a tokenizer.

Text counts a token for every three bytes of UTF-8: too many for English, about right
for Chinese and code, and corrected later by what each model really reports. Pictures,
sound and files count by what they are, never by the length of their base64.

This file walks plain JSON values and knows the names of the parts that hold no text.
It never recurses: depth is the sender's choice.
"""

from typing import NamedTuple

BYTES_PER_TOKEN = 3
PER_MESSAGE = 4
"""Tokens that role and framing take."""
PER_IMAGE = 1000
PER_AUDIO = 1000
PER_FILE = 1000
"""Plus a hundredth of its base64: a page of a PDF is about that."""

_IMAGES = frozenset(
    {
        "image_url",
        "input_image",
        "image",
        "computer_screenshot",
        "image_generation_call",
    }
)
_AUDIO = frozenset({"input_audio", "audio"})
_FILES = frozenset({"file", "input_file", "document"})
_NO_TEXT = frozenset(
    {
        "role",
        "type",
        "id",
        "call_id",
        "tool_call_id",
        "tool_use_id",
        "status",
        "signature",
        "encrypted_content",
        "cache_control",
        "detail",
    }
)
"""Members that frame a message, or that a provider reads back and does not bill as text."""


class PromptSize(NamedTuple):
    """What a value weighs: bytes of text, tokens of everything else, and pictures."""

    text: int = 0
    media: int = 0
    images: int = 0
    audio: int = 0
    """Parts that are sound."""
    files: int = 0
    """Parts that are files."""


def size(text: str) -> int:
    """Bytes of UTF-8; a lone surrogate counts as the three that it would take."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def weigh(value: object) -> PromptSize:
    """The weight of a message, a part, or any list of them."""
    text = media = images = audio = files = 0
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            if item.startswith("data:image/"):
                media += PER_IMAGE
                images += 1
            else:
                text += size(item)
        elif isinstance(item, dict):
            kind = item.get("type")
            if not isinstance(kind, str):
                kind = ""
            if kind in _IMAGES:
                media += PER_IMAGE
                images += 1
            elif kind in _AUDIO:
                media += PER_AUDIO
                audio += 1
            elif kind in _FILES and (length := _file(item)) is not None:
                media += PER_FILE + length // 100
                files += 1
            else:
                todo.extend(v for k, v in item.items() if k not in _NO_TEXT)
        elif isinstance(item, list):
            if item and type(item[0]) is int:
                # Token ids: completions and embeddings take them in place of text.
                text += BYTES_PER_TOKEN * len(item)
            else:
                todo.extend(item)
        elif item is not None:
            text += BYTES_PER_TOKEN
    return PromptSize(text, media, images, audio, files)


def _file(part: dict[str, object]) -> int | None:
    """Length of a file part's base64, 0 for a reference; None: it is text after all."""
    inner = part.get("source", part.get("file", part))
    if not isinstance(inner, dict):
        return 0
    if inner.get("type") in ("text", "content"):
        return None
    data = inner.get("data", inner.get("file_data"))
    return len(data) if isinstance(data, str) else 0
