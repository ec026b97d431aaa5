"""Writes images and documents as parts of chat messages."""

from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import Document, Image


def image_part(image: Image) -> dict[str, object]:
    url = image.url or f"data:{image.media_type or 'image/png'};base64,{image.data}"
    inner = {"url": url}
    if image.detail:
        inner["detail"] = image.detail
    return {"type": "image_url", "image_url": inner}


def file_part(
    document: Document, target: Target, notes: Notes
) -> list[dict[str, object]]:
    """A document as a file; the notes say where the provider takes none."""
    if document.file:
        notes.use(PartName.DOCUMENT_FILE)
        return []
    if document.url:
        if "document URLs" not in target.takes:
            notes.use(PartName.DOCUMENT_URL)
        file = {"file_data": document.url}
    else:
        if "documents" not in target.takes:
            notes.use(PartName.PDF)
        kind = document.media_type or "application/pdf"
        file = {"file_data": f"data:{kind};base64,{document.data}"}
    file["filename"] = document.name or "document.pdf"
    return [{"type": "file", "file": file}]
