"""What the vendors' own SDKs make of bytes that we wrote: streamed and plain answers.

Each gives the final object as JSON, and raises what the SDK raises. The bytes come by an
in-memory transport; everything else is the SDK.
"""

from functools import cache
from importlib import import_module

from sdks import anthropic, genai, openai

PROMPT = [{"role": "user", "content": "hi"}]
TYPES = {"stream": "text/event-stream", "plain": "application/json"}


class Bytes:
    """Answers each request of one SDK with the bytes that were put last."""

    def __init__(self, sdk):
        self.body, self.kind = b"", "plain"
        bases = sdk.DefaultHttpxClient.__mro__
        own = next(base for base in bases if base.__name__ == "Client")
        self._http = import_module(own.__module__.partition(".")[0])
        self.client = self._http.Client(transport=self._http.MockTransport(self))

    def __call__(self, request):
        kind = {"content-type": TYPES[self.kind]}
        return self._http.Response(200, headers=kind, content=self.body)


@cache
def client(sdk, make):
    source = Bytes(sdk)
    options = {"api_key": "k", "http_client": source.client, "max_retries": 0}
    return source, make(base_url="http://a.test", **options)


def _claude(body, kind):
    source, made = client(anthropic, anthropic.Anthropic)
    source.body, source.kind = body, kind
    return made


def _gpt(body, kind):
    source, made = client(openai, openai.OpenAI)
    source.body, source.kind = body, kind
    return made


def messages_plain(body):
    made = _claude(body, "plain").messages.create(
        model="m", max_tokens=9, messages=PROMPT
    )
    return made.model_dump()


def messages_stream(body):
    claude = _claude(body, "stream")
    with claude.messages.stream(model="m", max_tokens=9, messages=PROMPT) as stream:
        for _event in stream:
            pass
        made = stream.get_final_message()
    assert made.stop_reason is not None
    return made.model_dump()


def chat_plain(body):
    gpt = _gpt(body, "plain")
    return gpt.chat.completions.create(model="m", messages=PROMPT).model_dump()


def chat_stream(body):
    gpt = _gpt(body, "stream")
    with gpt.chat.completions.stream(model="m", messages=PROMPT) as stream:
        for _event in stream:
            pass
        try:
            made = stream.get_final_completion()
        except openai.LengthFinishReasonError as error:  # the helper's way to say so
            made = error.completion
    assert made.choices[0].finish_reason
    return made.model_dump()


def responses_plain(body):
    made = _gpt(body, "plain").responses.create(model="m", input="hi")
    if made.error:  # a plain answer may say so in itself, and the SDK hands it over
        raise Unanswered(made.error.message)
    return made.model_dump()


def responses_stream(body):
    """The last event holds the whole answer; the SDK's own accumulation is of completed
    ones alone, and has to agree with it."""
    gpt = _gpt(body, "stream")
    last = None
    with gpt.responses.stream(model="m", input="hi") as stream:
        for event in stream:
            last = event
            if event.type == "error":
                raise Unanswered(event.message)
        if last is None or not hasattr(last, "response"):
            raise Unanswered("no last event")
        if last.response.error:
            raise Unanswered(last.response.error.message)
        if last.type == "response.completed":
            assert stream.get_final_response().output == last.response.output
    assert last.type in ("response.completed", "response.incomplete")
    return last.response.model_dump()


def generate_content_plain(body):
    made = _gemini(body, "plain").models.generate_content(model="m", contents="hi")
    return _content_of([made])


def generate_content_stream(body):
    """The SDK hands the pieces over, and its users put them together."""
    gemini = _gemini(body, "stream")
    return _content_of(gemini.models.generate_content_stream(model="m", contents="hi"))


def _gemini(body, kind):
    source, made = _gemini_client()
    source.body, source.kind = body, kind
    return made


@cache
def _gemini_client():
    source = Bytes(openai)
    where = {"base_url": "http://a.test", "httpx_client": source.client}
    return source, genai.Client(api_key="k", vertexai=False, http_options=where)


def _content_of(pieces):
    """Parts, end and usage of all of them; pieces of a text are one part, as in a plain one."""
    parts, reason, usage = [], None, None
    for piece in pieces:
        usage = piece.usage_metadata or usage
        for candidate in piece.candidates or ():
            assert reason is None, "nothing follows the end"
            reason = candidate.finish_reason
            content = candidate.content
            for part in (content and content.parts) or ():
                _join(parts, part.model_dump(exclude_none=True))
    if reason is None:
        raise Unanswered("no end")
    return {"parts": parts, "reason": reason, "usage": usage and usage.model_dump()}


def _join(parts, part):
    last = parts[-1] if parts else {}
    alike = last.get("thought") == part.get("thought")
    if "text" in part and "text" in last and alike and "thought_signature" not in last:
        parts[-1] = {**last, **part, "text": last["text"] + part["text"]}
    else:
        parts.append(part)


class Unanswered(Exception):
    """An error that an SDK hands over as a value, or as an end that is missing."""


PLAIN = {
    "messages": messages_plain,
    "chat": chat_plain,
    "responses": responses_plain,
    "generateContent": generate_content_plain,
}
STREAM = {
    "messages": messages_stream,
    "chat": chat_stream,
    "responses": responses_stream,
    "generateContent": generate_content_stream,
}


def errors():
    """What an SDK raises for an answer that ends in an error."""
    return anthropic.APIError, openai.APIError, genai.errors.APIError, Unanswered
