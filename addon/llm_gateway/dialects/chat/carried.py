"""What becomes of every part of a request that is written as chat completions, and which
parts a chat request can hold."""

from llm_gateway.translation.answer_parts import (
    ONLY_THAT,
    AnswerPart,
    answer_fates,
)
from llm_gateway.translation.carried import (
    CARRIED,
    Fates,
    PartName,
    approximated,
    dropped,
    needed,
)

P = PartName
A = AnswerPart

SAYS = frozenset(
    {
        *(P.INSTRUCTIONS, P.INSTRUCTIONS_INSIDE, P.DEVELOPER_ROLE, P.TEXT, P.NAME),
        *(P.IMAGE, P.IMAGE_URL, P.IMAGE_DETAIL, P.PDF, P.DOCUMENT_FILE, P.AUDIO),
        *(P.PREFILL, P.UNKNOWN_PART, P.TOOL, P.FREEFORM_TOOL, P.STRICT),
        *(P.SERVER_TOOL, P.SERVER_TOOL_NEEDED, P.TOOL_CHOICE, P.ALLOWED_TOOLS),
        *(P.PARALLEL_OFF, P.CALL, P.RESULT, P.RESULT_IMAGE, P.EFFORT, P.BUDGET),
        *(P.THOUGHT, P.OWN_STATE, P.FOREIGN_STATE, P.JSON_SCHEMA, P.JSON_OBJECT),
        *(P.MAX_TOKENS, P.STOP, P.TEMPERATURE, P.TOP_P, P.TOP_K, P.SEED, P.PENALTIES),
        *(P.SEVERAL, P.LOGPROBS, P.LOGIT_BIAS, P.USER, P.METADATA, P.CACHE_KEY),
        *(P.OTHER_OUTPUT, P.ASSISTANT_FIRST, P.UNKNOWN_MEMBER, P.CACHE_MARKS),
        *(P.DOCUMENT_TITLE, P.TEXT_DOCUMENT),
    }
)

FATES: Fates = {
    P.INSTRUCTIONS: CARRIED,
    P.INSTRUCTIONS_INSIDE: CARRIED,
    P.DEVELOPER_ROLE: approximated("as role system"),
    P.TEXT: CARRIED,
    P.NAME: CARRIED,
    P.IMAGE: CARRIED,
    P.IMAGE_URL: CARRIED,
    P.IMAGE_FILE: needed("an upload belongs to its provider"),
    P.IMAGE_DETAIL: CARRIED,
    P.TEXT_DOCUMENT: approximated("as text, under its title"),
    P.PDF: needed(unless="documents"),
    P.DOCUMENT_URL: needed(unless="document URLs"),
    P.DOCUMENT_FILE: needed("an upload belongs to its provider"),
    P.DOCUMENT_TITLE: CARRIED,
    P.DOCUMENT_CONTEXT: approximated("as text in front of it"),
    P.AUDIO: needed(unless="audio"),
    P.CITATIONS: dropped("answers have none"),
    P.PREFILL: CARRIED,
    P.ASSISTANT_FIRST: CARRIED,
    P.REFERENCE: approximated("as text"),
    P.UNKNOWN_PART: needed(),
    P.TOOL: CARRIED,
    P.FREEFORM_TOOL: approximated("as a function with one string"),
    P.NAMESPACE: approximated("as part of the tool's name"),
    P.NAMESPACE_TEXT: dropped("each of its tools has its own"),
    P.STRICT: CARRIED,
    P.DEFERRED_TOOL: approximated("declared at once"),
    P.SEARCH_TOOL: approximated("as a function"),
    P.SERVER_TOOL: dropped("nobody runs it there; the other tools stay"),
    P.SERVER_TOOL_NEEDED: needed("nobody runs it there"),
    P.TOOL_CHOICE: CARRIED,
    P.ALLOWED_TOOLS: approximated("only these are declared"),
    P.PARALLEL_OFF: CARRIED,
    P.CALL: CARRIED,
    P.RESULT: CARRIED,
    P.RESULT_ERROR: approximated("the text begins with 'Error: '"),
    P.RESULT_IMAGE: approximated("in a user message behind the results"),
    P.RESULT_DOCUMENT: needed(unless="documents"),
    P.SERVER_CALL: dropped("what came of it stands in the answer's text"),
    P.EFFORT: CARRIED,
    P.BUDGET: approximated("as an effort"),
    P.SHOWN: dropped("thoughts come as the provider gives them"),
    P.THOUGHT: dropped("the provider does not want it back"),
    P.OWN_STATE: CARRIED,
    P.FOREIGN_STATE: dropped("means nothing to another maker"),
    P.JSON_SCHEMA: CARRIED,
    P.JSON_OBJECT: CARRIED,
    P.MAX_TOKENS: CARRIED,
    P.STOP: CARRIED,
    P.STOP_MANY: needed("it takes four"),
    P.TEMPERATURE: CARRIED,
    P.TOP_P: CARRIED,
    P.TOP_K: dropped("not a setting there"),
    P.SEED: CARRIED,
    P.PENALTIES: CARRIED,
    P.SEVERAL: needed("one is translated"),
    P.LOGPROBS: needed(),
    P.LOGIT_BIAS: needed(),
    P.USER: dropped("it names somebody to the other provider"),
    P.METADATA: dropped("it is for the other provider's pages"),
    P.CACHE_MARKS: dropped("caches there find prefixes by themselves"),
    P.CACHE_KEY: dropped("a hint for the other provider's cache"),
    P.STATE: needed("it belongs to one provider"),
    P.COMPACTION: needed("only its issuer can read it"),
    P.OTHER_OUTPUT: needed(),
    P.UNKNOWN_MEMBER: dropped("not a member there"),
}

GIVES = frozenset(
    {
        *(A.TEXT, A.THOUGHT, A.STATE, A.REFUSAL, A.CALL, A.IMAGE, A.AUDIO, A.CITATION),
        *(A.SEARCH, A.SERVER_CALL, A.LOGPROBS, A.UNKNOWN),
    }
)
"""Parts that answers of its providers can hold."""

ANSWER_FATES = answer_fates(stop_sequence=ONLY_THAT)
"""What becomes of an answer's parts for its clients."""
