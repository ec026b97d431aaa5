"""Documents as text, and what a client says about one (title, context) as text in front of it."""

from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.conversation import Document

IN_FRONT = "as text in front of it"
_BETWEEN = "\n\n"


def document_as_text(document: Document, notes: Notes) -> str:
    """A document that is text, under its title and context."""
    notes.use(PartName.TEXT_DOCUMENT)
    said = said_of_document(document, notes, title=False)
    return _BETWEEN.join(filter(None, (document.name, said, document.text)))


def said_of_document(document: Document, notes: Notes, *, title: bool) -> str:
    """What the target's form of a document has no member for. title: it has none for that."""
    said = []
    if title and document.name:
        notes.approximate(PartName.DOCUMENT_TITLE, IN_FRONT)
        said.append(document.name)
    if document.context:
        notes.approximate(PartName.DOCUMENT_CONTEXT, IN_FRONT)
        said.append(document.context)
    return _BETWEEN.join(said)
