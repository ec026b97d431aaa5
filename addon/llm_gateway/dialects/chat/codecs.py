"""Codecs of chat completions, for translation from it and into it."""

from llm_gateway.dialects.chat.answer_reader import ChatAnswerReader
from llm_gateway.dialects.chat.answer_writer import ChatAnswerWriter
from llm_gateway.dialects.chat.carried import ANSWER_FATES, FATES, GIVES, SAYS
from llm_gateway.dialects.chat.request_reader import read_request
from llm_gateway.dialects.chat.request_writer import write_request
from llm_gateway.domain import Dialect
from llm_gateway.translation.codec import Codecs

CODECS = Codecs(
    dialect=Dialect("chat"),
    read_request=read_request,
    write_request=write_request,
    answer_reader=ChatAnswerReader,
    answer_writer=ChatAnswerWriter,
    says=SAYS,
    fates=FATES,
    gives=GIVES,
    answer_fates=ANSWER_FATES,
)
