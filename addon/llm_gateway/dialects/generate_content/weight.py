"""Weight of generateContent's parts: text, media by their MIME type, calls as their JSON.

`prompt_size.weigh` goes by `type`, which parts of Google's have none. Never recurses.
"""

from llm_gateway.dialects.generate_content.members import member, text_in
from llm_gateway.dialects.prompt_size import (
    BYTES_PER_TOKEN,
    PER_AUDIO,
    PER_FILE,
    PER_IMAGE,
    PromptSize,
    size,
)

_NO_TEXT = frozenset(
    {
        *("role", "id", "thought", "thoughtSignature", "thought_signature"),
        *("mimeType", "mime_type", "fileUri", "file_uri", "videoMetadata"),
        *("mediaResolution", "media_resolution", "video_metadata"),
    }
)
"""Members that frame a part, or that are read back and not billed as text."""


def weigh_contents(value: object) -> PromptSize:
    """The weight of contents, of their parts, or any list of them."""
    text = media = images = audio = files = 0
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            text += size(item)
        elif isinstance(item, dict):
            if kind := text_in(item, "mimeType"):
                if kind.startswith("image/"):
                    media += PER_IMAGE
                    images += 1
                elif kind.startswith("audio/"):
                    media += PER_AUDIO
                    audio += 1
                else:
                    data = member(item, "data")
                    length = len(data) if isinstance(data, str) else 0
                    media += PER_FILE + length // 100
                    files += 1
                continue
            todo.extend(v for k, v in item.items() if k not in _NO_TEXT)
        elif isinstance(item, list):
            todo.extend(item)
        elif item is not None:
            text += BYTES_PER_TOKEN
    return PromptSize(text, media, images, audio, files)
