"""What becomes of every part of a request that is written as generateContent, and which
parts a generateContent request can hold."""

from llm_gateway.translation.answer_parts import (
    AS_TEXT,
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
        *(P.INSTRUCTIONS, P.TEXT, P.IMAGE, P.IMAGE_URL, P.IMAGE_FILE, P.TEXT_DOCUMENT),
        *(P.PDF, P.DOCUMENT_URL, P.DOCUMENT_FILE, P.AUDIO, P.PREFILL, P.UNKNOWN_PART),
        *(P.ASSISTANT_FIRST, P.TOOL, P.SERVER_TOOL, P.SERVER_TOOL_NEEDED),
        *(P.TOOL_CHOICE, P.ALLOWED_TOOLS, P.CALL, P.RESULT, P.RESULT_ERROR),
        *(P.RESULT_IMAGE, P.RESULT_DOCUMENT, P.SERVER_CALL, P.EFFORT, P.BUDGET),
        *(P.SHOWN, P.THOUGHT, P.OWN_STATE, P.FOREIGN_STATE, P.JSON_SCHEMA),
        *(P.JSON_OBJECT, P.MAX_TOKENS, P.STOP, P.STOP_MANY, P.TEMPERATURE, P.TOP_P),
        *(P.TOP_K, P.SEED, P.PENALTIES, P.SEVERAL, P.LOGPROBS, P.METADATA, P.STATE),
        *(P.OTHER_OUTPUT, P.UNKNOWN_MEMBER, P.DOCUMENT_TITLE),
    }
)

FATES: Fates = {
    P.INSTRUCTIONS: CARRIED,
    P.INSTRUCTIONS_INSIDE: approximated("in a user's turn, marked as the system's"),
    P.DEVELOPER_ROLE: approximated("as system"),
    P.TEXT: CARRIED,
    P.NAME: dropped("turns have no names there"),
    P.IMAGE: CARRIED,
    P.IMAGE_URL: CARRIED,
    P.IMAGE_FILE: needed("an upload belongs to its provider"),
    P.IMAGE_DETAIL: dropped("the provider chooses it"),
    P.TEXT_DOCUMENT: approximated("as text"),
    P.PDF: CARRIED,
    P.DOCUMENT_URL: CARRIED,
    P.DOCUMENT_FILE: needed("an upload belongs to its provider"),
    P.DOCUMENT_TITLE: approximated("as text in front of it"),
    P.DOCUMENT_CONTEXT: approximated("as text in front of it"),
    P.AUDIO: CARRIED,
    P.CITATIONS: dropped("answers are written without"),
    P.PREFILL: CARRIED,
    P.ASSISTANT_FIRST: approximated("behind a user's turn that says nothing"),
    P.REFERENCE: approximated("as text"),
    P.UNKNOWN_PART: needed(),
    P.TOOL: CARRIED,
    P.FREEFORM_TOOL: approximated("as a function with one string"),
    P.NAMESPACE: approximated("as part of the tool's name"),
    P.NAMESPACE_TEXT: dropped("each of its tools has its own"),
    P.STRICT: dropped("models there follow schemas without it"),
    P.DEFERRED_TOOL: approximated("declared at once"),
    P.SEARCH_TOOL: approximated("as a function"),
    P.SERVER_TOOL: dropped("nobody runs it there; the other tools stay"),
    P.SERVER_TOOL_NEEDED: needed("nobody runs it there"),
    P.TOOL_CHOICE: CARRIED,
    P.ALLOWED_TOOLS: approximated("only these are declared"),
    P.PARALLEL_OFF: dropped("not a setting there"),
    P.CALL: CARRIED,
    P.RESULT: CARRIED,
    P.RESULT_ERROR: CARRIED,
    P.RESULT_IMAGE: approximated("behind the results"),
    P.RESULT_DOCUMENT: approximated("behind the results"),
    P.SERVER_CALL: dropped("what came of it stands in the answer's text"),
    P.EFFORT: approximated("as a budget of thinking"),
    P.BUDGET: CARRIED,
    P.SHOWN: CARRIED,
    P.THOUGHT: dropped("only its own are read there"),
    P.OWN_STATE: CARRIED,
    P.FOREIGN_STATE: dropped("means nothing to another maker"),
    P.JSON_SCHEMA: CARRIED,
    P.JSON_OBJECT: CARRIED,
    P.MAX_TOKENS: CARRIED,
    P.STOP: CARRIED,
    P.STOP_MANY: needed("it takes five"),
    P.TEMPERATURE: CARRIED,
    P.TOP_P: CARRIED,
    P.TOP_K: CARRIED,
    P.SEED: CARRIED,
    P.PENALTIES: CARRIED,
    P.SEVERAL: needed("one is translated"),
    P.LOGPROBS: needed(),
    P.LOGIT_BIAS: needed(),
    P.USER: dropped("it names somebody to the other provider"),
    P.METADATA: dropped("it is for the other provider's pages"),
    P.CACHE_MARKS: dropped("it caches by itself"),
    P.CACHE_KEY: dropped("a hint for the other provider's cache"),
    P.STATE: needed("it belongs to one provider"),
    P.COMPACTION: needed("only its issuer can read it"),
    P.OTHER_OUTPUT: needed(),
    P.UNKNOWN_MEMBER: dropped("not a member there"),
}

GIVES = frozenset(
    {
        *(A.TEXT, A.THOUGHT, A.STATE, A.CALL, A.IMAGE, A.AUDIO, A.CITATION, A.SEARCH),
        *(A.CODE, A.SERVER_CALL, A.LOGPROBS, A.UNKNOWN),
    }
)
"""Parts that answers of its providers can hold."""

ANSWER_FATES = answer_fates(refusal=AS_TEXT, stop_sequence=ONLY_THAT)
"""What becomes of an answer's parts for its clients."""
