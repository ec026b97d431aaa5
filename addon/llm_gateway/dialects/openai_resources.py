"""What OpenAI's API keeps for an account, and where its requests name it."""

from llm_gateway.dialects.resources import IdMembers, Resource

FILES = Resource("files", "file")
UPLOADS = Resource("uploads", "upload")
CONVERSATIONS = Resource("conversations", "conversation")
VECTOR_STORES = Resource("vector_stores", "vector store", bills=True)
CONTAINERS = Resource("containers", "container", bills=True)

IN_CHAT = IdMembers({}, {"file_id": "file"}, (b'"file_id"',))
IN_RESPONSES = IdMembers(
    {"previous_response_id": "answer", "conversation": "conversation"},
    {
        "file_id": "file",
        "file_ids": "file",
        "vector_store_ids": "vector store",
        "container": "container",
        "container_id": "container",
    },
    (b'"file_id', b'"vector_store_ids"', b'"cntr_'),
)
