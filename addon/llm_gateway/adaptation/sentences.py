"""A quirk as the end of a sentence that a person reads: "from now on " + `sentence(quirk)`.

For the log, events, `llm-gateway quirks` and the pages. What is named in it may come from
a provider's refusal: it is bounded by the vocabulary's form, and pages escape it.
"""

from llm_gateway.adaptation.vocabulary import Quirk

_FORMS = {
    "beta": "without the beta {name} and its members",
    "cache_control": "without {name} in cache_control",
    "thinking": "with {name} thinking as {value}",
    "tool_type": "without tools of type {name}",
    "item": "without items of type {name}",
    "part": "without {name} in contents",
    "member": "without `{name}`",
    "message": "without messages[].{name}",
    "call": "without {name} in calls",
    "tool": "without {name} in tools",
    "rename": "with `{name}` as `{value}`",
    "schema": "without {name} in schemas",
    "sampling": "without `{name}`",
    "effort": "with an effort of {value}",
}
_SPECIAL = {
    ("beta", "*"): "without betas it does not know",
    ("item", "*"): "with the items of input that it reads only",
    ("block", "*"): "with other content blocks as text",
    ("tools", "paired"): "with results right behind their calls",
    ("tools", "batched"): "with nothing between calls and their outputs",
    ("state", "thinking"): "without thinking blocks",
    ("state", "reasoning"): "without encrypted reasoning",
    ("state", "ids"): "without ids of items",
    ("state", "tools"): "no tools: it wrote a call as text",
    ("endpoint", "tools", ""): "no tools",
    ("state", "signature"): "without the signatures of another model",
    ("thinking", "off", "out"): "with thinking that is never off",
    ("tool_type", "server", "alone"): "without its own tools beside functions",
    ("role", "same", "merged"): "with turns of a role as one",
    ("state", "block_binding"): "with blocks that do not fit dropped by their maker",
    ("tool_type", "custom"): "with custom tools as functions",
    ("tool_type", "namespace"): "with namespaces as part of a tool's name",
    ("tool_type", "additional_tools"): "with additional tools among the others",
    ("sampling", "top_p", "alone"): "without `top_p` beside a temperature",
    ("message", "*"): "with the core members of messages only",
    ("call", "*"): "with the core members of calls only",
    ("role", "system", "first"): "with the system message first",
    ("role", "system", "one"): "with one system message",
    ("role", "assistant", "after_tool"): "with an assistant turn after a tool's",
    ("role", "last", "user"): "with nothing after the user's last turn",
    ("content", "text"): "with text contents as strings",
    ("content", "null"): "with no null as content",
    ("content", "empty"): "without empty turns",
    ("reasoning", "out"): "without earlier thoughts",
    ("signature", "google"): "with a signature on calls",
    ("tool_choice", "forced", "auto"): "with an instruction for a forced tool",
    ("tool_choice", "forced", "string"): "with a forced tool as a string",
    ("tool_choice", "forced", "out"): "without forced tools",
    ("tools", "parameters"): "with parameters in each tool",
    ("tools", "one_strict"): "with one `strict` for all tools",
    ("tools", "single"): "with parallel calls one by one",
    ("thinking", "off", "forced_tool"): "without thinking beside a forced tool",
    ("endpoint", "tools_with_effort", "responses"): "no tools beside an effort",
}


def sentence(quirk: Quirk) -> str:
    """`without messages[].reasoning_content`, `with call ids that match [a-z]{9}`."""
    kind, name, value, sign = quirk
    said = _SPECIAL.get((kind, name, value)) or _SPECIAL.get((kind, name))
    if said is not None:
        return said
    if kind == "id":
        return f"with {name} ids that match {value}"
    if kind == "role":
        return f"with the role {name} as {value}"
    if kind == "reasoning":
        return f"with thoughts as {value or name}"
    if kind == "limit":
        return f"with `{name}` {'at most' if sign == '<=' else 'at least'} {value}"
    if kind == "sampling" and value:
        return f"with `{name}` {value} alone"
    form = _FORMS.get(kind)
    return form.format(name=name, value=value) if form else f"with {quirk}"
