"""Codecs of Responses: its requests and answers in neutral form, and back."""

from llm_gateway.dialects.responses.answer_object import repeated
from llm_gateway.dialects.responses.answer_reader import ResponsesAnswerReader
from llm_gateway.dialects.responses.answer_writer import ResponsesAnswerWriter
from llm_gateway.dialects.responses.carried import FATES, SAYS
from llm_gateway.dialects.responses.references import may_refer, with_items
from llm_gateway.dialects.responses.request_reader import read_request
from llm_gateway.dialects.responses.request_writer import write_request
from llm_gateway.domain import Dialect
from llm_gateway.translation.codec import Codecs, References

CODECS = Codecs(
    dialect=Dialect("responses"),
    read_request=read_request,
    write_request=write_request,
    answer_reader=ResponsesAnswerReader,
    answer_writer=ResponsesAnswerWriter,
    says=SAYS,
    fates=FATES,
    references=References(may_refer, with_items),
    repeated=repeated,
)
