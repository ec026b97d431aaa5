"""Looks for call markup in the answer to one attempt, where its request declares tools."""

from llm_gateway.dialects.call_markup import CallMarkup, declared_names
from llm_gateway.pipeline.adapting import sent_values
from llm_gateway.pipeline.exchange import Attempt


def markup_of(attempt: Attempt) -> CallMarkup | None:
    """None: no tools are declared. Their names are read once a marker was found."""
    body = attempt.form.body
    keys = {member.key for member in body.members}
    if "tools" not in keys and not (
        "input" in keys and b'"additional_tools"' in body.raw
    ):
        return None
    return CallMarkup(lambda: declared_names(sent_values(attempt)), body.says)
