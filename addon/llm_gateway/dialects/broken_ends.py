"""Ends of an answer that broke off: the provider could not read the call that its model wrote.

Google says so as the reason of an end (`MALFORMED_FUNCTION_CALL`), its chat completions as
`function_call_filter: MALFORMED_FUNCTION_CALL`, and OpenRouter repeats it beside its own word.
Neither a filter nor the client has asked for it: another model may write the call well. Taken
for a clean end, an agent would stop in the midst of its work.
"""

import re

_WORDS = re.compile(
    r"function_call_filter|malformed_|unexpected_tool_call|too_many_tool_calls"
    r"|missing_thought_signature",
    re.IGNORECASE,
)


def is_broken_end(reason: str) -> bool:
    """reason: as the answer says why it ended, in whatever dialect."""
    return _WORDS.search(reason) is not None


def words_of_end(reason: str, said: str = "") -> str:
    """said: the provider's own words for it, where it has some."""
    return said or f"The provider's answer broke off: {reason}."
