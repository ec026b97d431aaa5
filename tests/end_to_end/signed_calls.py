"""Four turns of two calls at once, by a model that signs the first of each, and apps that go on
from what they keep: `refuse_or_sign` is the model, as strict as Google; `Talk` is an app.
"""

from typing import Any

from fakes import Answer, Received, answers
from vendors.google_answers import VOICES, turns_in
from vendors.google_refusals import invalid, refuse

from gateway import GatewayProcess

TURNS = 4
DONE = "All of it is done."
PLACEHOLDER = "skip_thought_signature_validator"
Value = dict[str, Any]
FUNCTION = {
    "name": "step",
    "parameters": {
        "type": "object",
        "properties": {"turn": {"type": "integer"}, "n": {"type": "integer"}},
    },
}


def signature(turn: int) -> str:
    return f"c2lnbmF0dXJlIG9mIHR1cm4g{turn}{'A' * 7}"


def signatures_in(request: Received) -> list[str | None]:
    """Of the first call of each turn."""
    return [calls[0].get("thoughtSignature") for calls, _ in turns_in(request.json())]


def refuse_or_sign(request: Received) -> Answer:
    asked = request.json()
    if refused := refuse(VOICES["gemini-3"], asked):
        return answers.status(*refused)
    made = turns_in(asked)
    for calls, _ in made:
        turn = int(calls[0]["functionCall"]["args"]["turn"])
        given = calls[0].get("thoughtSignature")
        if given not in (None, signature(turn), PLACEHOLDER):
            return answers.status(*invalid("Thought signature is not valid."))
    parts: list[Value] = [{"text": DONE}]
    if len(made) < TURNS:
        parts = [{"text": "Hm.", "thought": True}] + [
            {"functionCall": {"name": "step", "args": {"turn": len(made), "n": n}}}
            for n in range(2)
        ]
        parts[1]["thoughtSignature"] = signature(len(made))
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
    return answers.status(
        200, {"candidates": [{**candidate, "index": 0}], "usageMetadata": usage}
    )


class Talk:
    """An app, in one of the ways that it may keep what it was told."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.history: list[Value] = []

    def step(self, gateway: GatewayProcess) -> str:
        """One request: the text of its answer, "" where it was calls."""
        raise NotImplementedError


class ChatTalk(Talk):
    def kept(self, message: Value) -> Value:
        return message

    def step(self, gateway: GatewayProcess) -> str:
        self.history = self.history or [{"role": "user", "content": "Go"}]
        tools = [{"type": "function", "function": FUNCTION}]
        asked = {"model": self.model, "tools": tools, "messages": self.history}
        status, _, said = gateway.post("/v1/chat/completions", asked)
        assert status == 200, said
        message = said["choices"][0]["message"]
        self.history.append(self.kept(message))
        for call in message.get("tool_calls") or ():
            result = {"role": "tool", "tool_call_id": call["id"], "content": "ok"}
            self.history.append(result)
        return message["content"] or ""


class BareChatTalk(ChatTalk):
    """Most of them keep of a call what the API names, and no more."""

    def kept(self, message: Value) -> Value:
        calls = [
            {name: call[name] for name in ("id", "type", "function")}
            for call in message.get("tool_calls") or ()
        ]
        bare = {"role": "assistant", "content": message["content"]}
        return {**bare, "tool_calls": calls} if calls else bare


class MessagesTalk(Talk):
    def step(self, gateway: GatewayProcess) -> str:
        self.history = self.history or [{"role": "user", "content": "Go"}]
        schema = {"name": "step", "input_schema": FUNCTION["parameters"]}
        asked = {"model": self.model, "max_tokens": 2000, "tools": [schema]}
        asked |= {"thinking": {"type": "enabled", "budget_tokens": 1024}}
        status, _, said = gateway.post(
            "/v1/messages", {**asked, "messages": self.history}
        )
        assert status == 200, said
        self.history.append({"role": "assistant", "content": said["content"]})
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}
            for block in said["content"]
            if block["type"] == "tool_use"
        ]
        if results:
            self.history.append({"role": "user", "content": results})
        texts = [b["text"] for b in said["content"] if b["type"] == "text"]
        return "".join(texts)


class GoogleTalk(Talk):
    def step(self, gateway: GatewayProcess) -> str:
        self.history = self.history or [{"role": "user", "parts": [{"text": "Go"}]}]
        asked = {"contents": self.history}
        asked |= {"tools": [{"functionDeclarations": [FUNCTION]}]}
        path = f"/v1beta/models/{self.model}:generateContent"
        status, _, said = gateway.post(path, asked)
        assert status == 200, said
        content = said["candidates"][0]["content"]
        self.history.append(content)
        results = [
            {"functionResponse": {"name": "step", "response": {"output": "ok"}}}
            for part in content["parts"]
            if "functionCall" in part
        ]
        if results:
            self.history.append({"role": "user", "parts": results})
        return "".join(part.get("text", "") for part in content["parts"][-1:])
