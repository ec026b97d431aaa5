"""Reads contents of Responses items: messages, outputs of calls, reasoning."""

import re

from llm_gateway.dialects.answer_observer import Json, object_of, objects, text_of
from llm_gateway.translation.base64_text import readable_text, standard_base64
from llm_gateway.translation.conversation import (
    Audio,
    Document,
    Foreign,
    Image,
    Part,
    Refusal,
    Text,
)

_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^,]*)?;base64,", re.I)


def read_content(content: object) -> tuple[Part, ...]:
    """A string or a list of parts."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    parts = (read_part(part) for part in objects(content))
    return tuple(part for part in parts if part is not None)


def read_part(part: Json) -> Part | None:
    """None: there is nothing in it."""
    kind = text_of(part.get("type"))
    if kind in _TEXTS:
        text = text_of(part.get("text"))
        return Text(text) if text else None
    match kind:
        case "refusal":
            text = text_of(part.get("refusal"))
            return Refusal(text) if text else None
        case "input_image" | "image_url":
            return _image(part)
        case "input_file":
            return _document(part)
        case "input_audio":
            audio = object_of(part.get("input_audio")) or part
            return Audio(
                standard_base64(text_of(audio.get("data"))),
                text_of(audio.get("format")),
            )
    return Foreign(kind, part)


def _image(part: Json) -> Part:
    given = part.get("image_url")
    url = text_of(given) or text_of(object_of(given).get("url"))
    detail = text_of(part.get("detail")) or text_of(object_of(given).get("detail"))
    if file := text_of(part.get("file_id")):
        return Image(file=file, detail=detail)
    if (data := _of_data_url(url)) is not None:
        return Image(data[1], data[0], detail=detail)
    return Image(url=url, detail=detail) if url else Foreign("input_image", part)


def _document(part: Json) -> Part:
    name = text_of(part.get("filename"))
    if file := text_of(part.get("file_id")):
        return Document(file=file, name=name)
    if url := text_of(part.get("file_url")):
        return Document(url=url, name=name)
    given = text_of(part.get("file_data"))
    kind, data = _of_data_url(given) or ("", standard_base64(given))
    if not data:
        return Foreign("input_file", part)
    if (text := readable_text(kind, data)) is not None:
        return Document(text=text, media_type=kind, name=name)
    return Document(data, kind or "application/pdf", name=name)


def _of_data_url(url: str) -> tuple[str, str] | None:
    """(media type, base64); None: it is another URL."""
    found = _DATA_URL.match(url)
    return found and (found[1], standard_base64(url[found.end() :]))
