"""Codecs of Responses: its requests and answers in neutral form, and back."""

from llm_gateway.dialects.answer_observer import Json
from llm_gateway.dialects.responses.answer_object import repeated
from llm_gateway.dialects.responses.answer_reader import ResponsesAnswerReader
from llm_gateway.dialects.responses.answer_writer import ResponsesAnswerWriter
from llm_gateway.dialects.responses.carried import ANSWER_FATES, FATES, GIVES, SAYS
from llm_gateway.dialects.responses.compaction import TRIGGER, is_asked_for
from llm_gateway.dialects.responses.references import may_refer, with_items
from llm_gateway.dialects.responses.request_reader import read_request
from llm_gateway.dialects.responses.request_writer import write_request
from llm_gateway.domain import Dialect
from llm_gateway.translation.codec import Codecs, References


def repeated_of(body: Json) -> Json:
    """And whether the answer is to be a summary."""
    said = repeated(body)
    return {**said, TRIGGER: True} if is_asked_for(body) else said


CODECS = Codecs(
    dialect=Dialect("responses"),
    read_request=read_request,
    write_request=write_request,
    answer_reader=ResponsesAnswerReader,
    answer_writer=ResponsesAnswerWriter,
    says=SAYS,
    fates=FATES,
    gives=GIVES,
    answer_fates=ANSWER_FATES,
    references=References(may_refer, with_items),
    repeated=repeated_of,
)
