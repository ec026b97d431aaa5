"""Codecs of generateContent, for translation from it and into it."""

from llm_gateway.dialects.generate_content.answer_reader import (
    GenerateContentAnswerReader,
)
from llm_gateway.dialects.generate_content.answer_writer import (
    GenerateContentAnswerWriter,
)
from llm_gateway.dialects.generate_content.carried import (
    ANSWER_FATES,
    FATES,
    GIVES,
    SAYS,
)
from llm_gateway.dialects.generate_content.request_reader import read_request
from llm_gateway.dialects.generate_content.request_writer import write_request
from llm_gateway.domain import Dialect
from llm_gateway.translation.codec import Codecs

CODECS = Codecs(
    dialect=Dialect("generateContent"),
    read_request=read_request,
    write_request=write_request,
    answer_reader=GenerateContentAnswerReader,
    answer_writer=GenerateContentAnswerWriter,
    says=SAYS,
    fates=FATES,
    gives=GIVES,
    answer_fates=ANSWER_FATES,
    calls_are_objects=True,
)
