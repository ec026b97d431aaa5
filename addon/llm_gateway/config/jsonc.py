"""JSONC and JSON5 text as a tree of spans: where every value stands.

What lives here: a parser that keeps, for each value, the characters from which it was
read, so that an error can name line and column and an edit can replace one value and
leave every comment where it is. What this file does not know: what the values mean;
json5 reads those (`load.py`).

    parse(text) -> Node | SyntaxProblem
    Node ── object: members (key, its place, Node) ── array: items ── or a scalar

Depth, length and number length are bounded: a text from the network cannot hurt.
"""

import re
from collections.abc import Iterator

from llm_gateway.frozen import frozen

Path = tuple[str | int, ...]
"""From the root to a value: keys and positions, e.g. ("providers", 0, "apiKey")."""

MOST_CHARACTERS = 1 << 20
MOST_LEVELS = 32


@frozen
class Member:
    key: str
    start: int
    """Where the key begins."""
    node: "Node"


@frozen
class Node:
    kind: str
    """object, array, string, number or word (true, false, null)."""
    start: int
    end: int
    """`text[start:end]` is the value."""
    members: tuple[Member, ...] = ()
    items: tuple["Node", ...] = ()
    string: str = ""
    """What a string says, escapes resolved."""

    def get(self, key: str) -> "Node | None":
        """The value of a key; of one that is given twice, the last."""
        found = [member.node for member in self.members if member.key == key]
        return found[-1] if found else None

    def at(self, path: Path) -> "Node | None":
        node: Node | None = self
        for step in path:
            if node is None:
                return None
            if isinstance(step, str):
                node = node.get(step)
            else:
                node = node.items[step] if 0 <= step < len(node.items) else None
        return node

    def walk(self, path: Path = ()) -> "Iterator[tuple[Path, Node]]":
        """Every value in and below this one, with its path, in the order of the text."""
        # Without recursion: a value would be handed up through every level above it.
        left: list[tuple[Path, Node]] = [(path, self)]
        while left:
            path, node = left.pop()
            yield path, node
            left += [((*path, m.key), m.node) for m in reversed(node.members)]
            last = len(node.items) - 1
            left += [((*path, n), node.items[n]) for n in range(last, -1, -1)]


@frozen
class SyntaxProblem:
    offset: int
    message: str


class _Broken(Exception):
    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.problem = SyntaxProblem(offset, message)


_SPACE = r"[\t\v\f \u00a0\ufeff\n\r\u2028\u2029\u1680\u2000-\u200a\u202f\u205f\u3000]+"
_GAP = re.compile(rf"(?:{_SPACE}|//[^\n\r\u2028\u2029]*|/\*(?:[^*]|\*(?!/))*\*/)*")
_COMMENT = re.compile(r"//[^\n\r\u2028\u2029]*|/\*(?:[^*]|\*(?!/))*\*/")
_NAME = re.compile(r"[^\W\d][\w$]*|\$[\w$]*")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F]+|(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)(?![\w$.])",
    re.ASCII,
)
_STRING = {
    quote: re.compile(
        rf"{quote}((?:[^{quote}\\\n\r]|\\(?:\r\n|[\s\S]))*){quote}",
    )
    for quote in "\"'"
}
_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|[\n\r\u2028\u2029])|([\s\S]))"
)
_SHORT = {
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "0": "\0",
}
_WORDS = ("true", "false", "null")


def _unescaped(found: "re.Match[str]") -> str:
    unicode, byte, line_end, other = found.groups()
    if unicode or byte:
        return chr(int(unicode or byte, 16))
    if line_end:
        return ""
    if other in "ux123456789":
        raise _Broken(0, "is not an escape sequence")
    return _SHORT.get(other, other)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.here = 0

    def gap(self) -> str:
        """Skips space and comments; the next character, "" at the end."""
        found = _GAP.match(self.text, self.here)
        assert found is not None  # it matches the empty text too
        self.here = found.end()
        char = self.text[self.here : self.here + 1]
        if char == "/" and self.text.startswith("/*", self.here):
            raise _Broken(self.here, "this comment does not end; write */ after it")
        return char

    def found(self) -> str:
        if self.here >= len(self.text):
            return "the text ends"
        return f"found {self.text[self.here]!r}"

    def value(self, level: int) -> Node:
        char = self.gap()
        if level > MOST_LEVELS:
            raise _Broken(self.here, f"more than {MOST_LEVELS} levels deep")
        match char:
            case "{":
                return self.object(level)
            case "[":
                return self.array(level)
            case '"' | "'":
                return self.quoted()
        if number := _NUMBER.match(self.text, self.here):
            if len(number[0]) > 64:
                raise _Broken(self.here, "a number of more than 64 characters")
            return self.scalar("number", number.end())
        if word := _NAME.match(self.text, self.here):
            if word[0] in _WORDS:
                return self.scalar("word", word.end())
            raise _Broken(
                self.here, f"{word[0]!r} is not a value; write texts in quotes"
            )
        raise _Broken(self.here, f"{self.found()} where a value should stand")

    def scalar(self, kind: str, end: int) -> Node:
        start, self.here = self.here, end
        return Node(kind, start, end)

    def quoted(self) -> Node:
        start = self.here
        found = _STRING[self.text[start]].match(self.text, start)
        if not found:
            raise _Broken(start, "this text does not end on its line; write a quote")
        said = found[1]
        if "\\" in said:
            try:
                said = _ESCAPE.sub(_unescaped, said)
            except _Broken:
                raise _Broken(
                    start, "this text has a \\ too many; write \\\\"
                ) from None
            # Two escapes may make one character, as in JSON: "\ud83d\ude00".
            said = said.encode("utf-16", "surrogatepass").decode(
                "utf-16", "surrogatepass"
            )
        self.here = found.end()
        return Node("string", start, self.here, string=said)

    def key(self) -> str:
        if self.text[self.here] in "\"'":
            return self.quoted().string
        name = _NAME.match(self.text, self.here)
        if not name:
            raise _Broken(self.here, f"{self.found()} where a key or }} should stand")
        self.here = name.end()
        return name[0]

    def object(self, level: int) -> Node:
        start = self.here
        self.here += 1
        members: list[Member] = []
        while self.gap() != "}":
            if self.here >= len(self.text):
                raise _Broken(start, "this { is not closed; write } where it ends")
            place = self.here
            key = self.key()
            if self.gap() != ":":
                raise _Broken(self.here, f"{self.found()}; write : after a key")
            self.here += 1
            members.append(Member(key, place, self.value(level + 1)))
            self.comma("}")
        self.here += 1
        return Node("object", start, self.here, members=tuple(members))

    def array(self, level: int) -> Node:
        start = self.here
        self.here += 1
        items: list[Node] = []
        while self.gap() != "]":
            if self.here >= len(self.text):
                raise _Broken(start, "this [ is not closed; write ] where it ends")
            items.append(self.value(level + 1))
            self.comma("]")
        self.here += 1
        return Node("array", start, self.here, items=tuple(items))

    def comma(self, closing: str) -> None:
        char = self.gap()
        if char == ",":
            self.here += 1
        elif char and char != closing:
            raise _Broken(self.here, f"{self.found()}; write , or {closing} before it")


def parse(text: str) -> Node | SyntaxProblem:
    """The tree of a whole text, or the first place at which it is no JSON5."""
    if len(text) > MOST_CHARACTERS:
        return SyntaxProblem(0, f"longer than {MOST_CHARACTERS} characters")
    reader = _Reader(text)
    try:
        if not reader.gap():
            return SyntaxProblem(0, "nothing but comments; write at least {}")
        root = reader.value(1)
        if reader.gap():
            raise _Broken(reader.here, f"{reader.found()} after the end")
    except _Broken as broken:
        return broken.problem
    return root


def gap_end(text: str, start: int) -> int:
    """The first place from `start` on that is neither space nor comment."""
    found = _GAP.match(text, start)
    return found.end() if found else start


def comments(text: str, root: Node) -> Iterator[tuple[int, int]]:
    """Spans of the comments between the values of a parsed text."""
    scalars = [node for _, node in root.walk() if node.kind == "string"]
    keys = [member for _, node in root.walk() for member in node.members]
    texts = {node.start: node.end for node in scalars}
    for member in keys:
        if quoted := _STRING.get(text[member.start]):
            found = quoted.match(text, member.start)
            texts[member.start] = found.end() if found else member.start
    here = 0
    for start, end in [*sorted(texts.items()), (len(text), len(text))]:
        for comment in _COMMENT.finditer(text, here, start):
            yield comment.span()
        here = end


def without_extras(text: str, root: Node) -> str:
    """A parsed text with spaces in place of its comments and trailing commas: JSON, where
    it has nothing else of JSON5. Every place stays where it is."""
    cuts = list(comments(text, root))
    for _, node in root.walk():
        children = node.items or tuple(member.node for member in node.members)
        if not children:
            continue
        comma = gap_end(text, children[-1].end)
        if text[comma] == ",":
            cuts.append((comma, comma + 1))
    parts: list[str] = []
    here = 0
    for start, end in sorted(cuts):
        parts += text[here:start], " " * (end - start)
        here = end
    return "".join((*parts, text[here:]))


_LINE_END = re.compile(r"\r\n|\n|\r")


def position(text: str, offset: int) -> tuple[int, int]:
    """(line, column), both from 1, of a place in the text."""
    line, start = 1, 0
    for end in _LINE_END.finditer(text, 0, offset):
        line, start = line + 1, end.end()
    return line, offset - start + 1


_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)


def show(path: Path) -> str:
    """A path as people write it: `providers[0].headers["X-Title"]`."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            shown += f".{step}" if shown else step
        else:
            quoted = step.replace("\\", "\\\\").replace('"', '\\"')
            shown += f'["{quoted}"]'
    return shown or "(the whole file)"
