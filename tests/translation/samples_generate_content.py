"""A small generateContent request for every part that one can hold."""

from collections.abc import Mapping

from llm_gateway.adaptation.marked_state import marked
from llm_gateway.translation.carried import PartName as P

PIXEL = "iVBORw0KGgo="
TEXT = {"text": "hi"}
GET = {
    "name": "get",
    "description": "Gets it.",
    "parameters": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}},
}
TOOLS = [{"functionDeclarations": [GET]}]
SEARCH = {"googleSearch": {}}
BASE = {"model": "m", "contents": [{"role": "user", "parts": [TEXT]}]}


def user(*parts: object) -> dict[str, object]:
    return {"contents": [turn("user", *parts)]}


def turn(role: str, *parts: object) -> dict[str, object]:
    return {"role": role, "parts": list(parts)}


def blob(kind: str) -> dict[str, object]:
    return {"inlineData": {"mimeType": kind, "data": PIXEL}}


def file(kind: str, uri: str) -> dict[str, object]:
    return {"fileData": {"mimeType": kind, "fileUri": uri}}


def called(signature: str = "") -> dict[str, object]:
    call: dict[str, object] = {
        "functionCall": {"id": "call_1", "name": "get", "args": {"a": 1}}
    }
    return {**call, "thoughtSignature": signature} if signature else call


def result(
    *parts: object, signature: str = "", **response: object
) -> dict[str, object]:
    back: dict[str, object] = {"id": "call_1", "name": "get"}
    back["response"] = response or {"output": "1"}
    if parts:
        back["parts"] = list(parts)
    return {
        "tools": TOOLS,
        "contents": [
            turn("user", TEXT),
            turn("model", called(signature)),
            turn("user", {"functionResponse": back}),
        ],
    }


def thought(**members: object) -> dict[str, object]:
    part = {"text": "Hm.", "thought": True, **members}
    return {
        "contents": [
            turn("user", TEXT),
            turn("model", part, {"text": "Yes."}),
            turn("user", {"text": "Go on."}),
        ]
    }


def signed(signature: str) -> dict[str, object]:
    """On a thought and on a call."""
    said = result(signature=signature)
    part = {"text": "Hm.", "thought": True, "thoughtSignature": signature}
    contents = said["contents"]
    assert isinstance(contents, list)
    contents[1]["parts"].insert(0, part)
    return said


def config(**members: object) -> dict[str, object]:
    return {"generationConfig": members}


def choice(mode: str, *names: str) -> dict[str, object]:
    calling: dict[str, object] = {"mode": mode}
    if names:
        calling["allowedFunctionNames"] = list(names)
    return {"toolConfig": {"functionCallingConfig": calling}}


OTHER = {"name": "other", "parametersJsonSchema": {"type": "object", "properties": {}}}
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
JSON = "application/json"


def samples(maker: str, signature: str) -> Mapping[P, Mapping[str, object]]:
    own, foreign = (
        marked(maker, "signature", signature),
        marked("other", "signature", "x"),
    )
    executed = {"executableCode": {"language": "PYTHON", "code": "1"}}
    return {
        P.INSTRUCTIONS: {"system_instruction": {"parts": [{"text": "Be brief."}]}},
        P.TEXT: user(TEXT),
        P.IMAGE: user(blob("image/png")),
        P.IMAGE_URL: user(file("image/png", "https://a.test/a.png")),
        P.IMAGE_FILE: user(file("image/png", "gs://a/a.png")),
        P.DOCUMENT_TITLE: user(
            {
                "inlineData": {
                    "mimeType": "text/plain",
                    "data": "V29yZHMu",
                    "displayName": "Paper",
                }
            }
        ),
        P.TEXT_DOCUMENT: user(
            {"inlineData": {"mimeType": "text/plain", "data": "aGk="}}
        ),
        P.PDF: user(blob("application/pdf")),
        P.DOCUMENT_URL: user(file("application/pdf", "https://a.test/a.pdf")),
        P.DOCUMENT_FILE: user(file("application/pdf", "https://g.test/v1beta/files/a")),
        P.AUDIO: user(blob("audio/wav")),
        P.PREFILL: {"contents": [turn("user", TEXT), turn("model", {"text": "So"})]},
        P.UNKNOWN_PART: user({"hologram": {"data": "x"}}),
        P.ASSISTANT_FIRST: {
            "contents": [turn("model", {"text": "Hello."}), turn("user", TEXT)]
        },
        P.TOOL: {"tools": TOOLS},
        P.SERVER_TOOL: {"tools": [*TOOLS, SEARCH]},
        P.SERVER_TOOL_NEEDED: {"tools": [SEARCH]},
        P.TOOL_CHOICE: {"tools": TOOLS, **choice("ANY", "get")},
        P.ALLOWED_TOOLS: {
            "tools": [
                {"functionDeclarations": [GET, OTHER, {**OTHER, "name": "third"}]}
            ],
            **choice("ANY", "get", "other"),
        },
        P.CALL: result(),
        P.RESULT: result(),
        P.RESULT_ERROR: result(error="no"),
        P.RESULT_IMAGE: result(blob("image/png")),
        P.RESULT_DOCUMENT: result(blob("application/pdf")),
        P.SERVER_CALL: {
            "contents": [
                turn("user", TEXT),
                turn("model", executed, TEXT),
                turn("user", TEXT),
            ]
        },
        P.EFFORT: config(thinkingConfig={"thinkingLevel": "HIGH"}),
        P.BUDGET: config(thinkingConfig={"thinkingBudget": 2048}),
        P.SHOWN: config(
            thinkingConfig={"thinkingLevel": "LOW", "includeThoughts": True}
        ),
        P.THOUGHT: thought(),
        P.OWN_STATE: signed(own),
        P.FOREIGN_STATE: signed(foreign),
        P.JSON_SCHEMA: config(responseMimeType=JSON, responseJsonSchema=SCHEMA),
        P.JSON_OBJECT: config(responseMimeType=JSON),
        P.MAX_TOKENS: config(maxOutputTokens=50),
        P.STOP: config(stopSequences=["a"]),
        P.STOP_MANY: config(stopSequences=list("abcdef")),
        P.TEMPERATURE: config(temperature=0.5),
        P.TOP_P: config(topP=0.5),
        P.TOP_K: config(topK=5),
        P.SEED: config(seed=5),
        P.PENALTIES: config(presencePenalty=0.5),
        P.SEVERAL: config(candidateCount=2),
        P.LOGPROBS: config(responseLogprobs=True),
        P.METADATA: {"labels": {"team": "a"}},
        P.STATE: {"cachedContent": "cachedContents/a"},
        P.OTHER_OUTPUT: config(responseModalities=["IMAGE"]),
        P.UNKNOWN_MEMBER: {"safetySettings": [{"category": "C", "threshold": "T"}]},
    }
