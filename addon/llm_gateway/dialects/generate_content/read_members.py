"""Members that objects inside of a generateContent request have and that are read; of others,
the decision tells. Data, in camel case."""

from llm_gateway.translation.unread import members

_BLOB = members("mimeType", "data", "displayName")

PART = members(
    # What a video or a picture is looked at for belongs to it alone.
    *("text", "thought", "thoughtSignature", "videoMetadata", "mediaResolution"),
    # Parts that only this dialect knows are told of by their kind.
    *("executableCode", "codeExecutionResult", "toolCall", "toolResponse"),
    inlineData=_BLOB,
    fileData=members("mimeType", "fileUri", "displayName"),
    functionCall=members("id", "name", "args"),
    functionResponse=members(
        *("id", "name", "response"), parts=members(inlineData=_BLOB)
    ),
)
CONTENT = members("role", parts=PART)
_FUNCTION = members("name", "description", "parameters", "parametersJsonSchema")

MEMBERS = members(
    systemInstruction=CONTENT,
    contents=CONTENT,
    # Every other tool runs at the provider, and every other setting is one of its own.
    tools=members(functionDeclarations=_FUNCTION)._replace(others_told=True),
    generationConfig=members(
        thinkingConfig=members("thinkingBudget", "thinkingLevel", "includeThoughts")
    )._replace(others_told=True),
    toolConfig=members(functionCallingConfig=members("mode", "allowedFunctionNames")),
)
