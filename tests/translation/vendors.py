"""What the vendors' own SDKs make of bytes that we wrote: streamed and plain answers.

Each gives the final object as JSON, and raises what the SDK raises. The bytes come by an
in-memory transport; everything else is the SDK.
"""

from functools import cache
from importlib import import_module

from sdks import anthropic, openai

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


PLAIN = {"messages": messages_plain, "chat": chat_plain}
STREAM = {"messages": messages_stream, "chat": chat_stream}


def errors():
    """What an SDK raises for an answer that ends in an error."""
    return anthropic.APIError, openai.APIError
