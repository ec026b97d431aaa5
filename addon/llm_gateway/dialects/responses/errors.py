"""Error event of a Responses stream."""

from llm_gateway.dialects.openai_errors import dump, error_object


def stream_error(code: str, message: str) -> bytes:
    """A server-sent event that ends a stream with an error."""
    # As documented, with the object that OpenAI's SDKs raise on added to it.
    event = {
        "type": "error",
        "code": code,
        "message": message,
        "param": None,
        **error_object("server_error", code, message, None),
    }
    return b"event: error\ndata: " + dump(event) + b"\n\n"
