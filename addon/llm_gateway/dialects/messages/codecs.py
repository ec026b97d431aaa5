"""Codecs of Messages, for translation from it and into it."""

from llm_gateway.dialects.messages.answer_reader import MessagesAnswerReader
from llm_gateway.dialects.messages.answer_writer import MessagesAnswerWriter
from llm_gateway.dialects.messages.carried import ANSWER_FATES, FATES, GIVES, SAYS
from llm_gateway.dialects.messages.request_reader import read_request
from llm_gateway.dialects.messages.request_writer import write_request
from llm_gateway.domain import Dialect
from llm_gateway.translation.codec import Codecs

CODECS = Codecs(
    dialect=Dialect("messages"),
    read_request=read_request,
    write_request=write_request,
    answer_reader=MessagesAnswerReader,
    answer_writer=MessagesAnswerWriter,
    says=SAYS,
    fates=FATES,
    gives=GIVES,
    answer_fates=ANSWER_FATES,
    calls_are_objects=True,
)
