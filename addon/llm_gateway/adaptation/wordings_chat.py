"""Wordings of refusals of chat completions, in the order in which they are tried.

The rows are in modules by what they are about: `wordings_chat_settings.py` (where a model is
served, values, thinking), `wordings_chat_history.py` (turns and what stands in them),
`wordings_chat_tools.py`, `wordings_chat_members.py`. The broadest patterns come last.
"""

from llm_gateway.adaptation import wordings_chat_members, wordings_chat_tools
from llm_gateway.adaptation.wording import Wording
from llm_gateway.adaptation.wordings_chat_history import CONTENT, IDS, ROLES, THOUGHTS
from llm_gateway.adaptation.wordings_chat_settings import ENDPOINTS, THINKING, VALUES

WORDINGS: tuple[Wording, ...] = tuple(
    row._replace(must_change=True)
    for row in (
        *ENDPOINTS,
        *THOUGHTS,
        *VALUES,
        *IDS,
        *wordings_chat_tools.WORDINGS,
        *ROLES,
        *CONTENT,
        *THINKING,
        *wordings_chat_members.WORDINGS,
    )
)
