"""Tokens before they are known: a prompt's, corrected by experience, and an answer's.

What lives here: per model, how far the heuristic was off, and how long its answers
usually are. What it does not know: how a prompt was weighed, what tokens cost.

All integers: factors are in thousandths.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable

UNKNOWN_OUTPUT = 1024
"""Tokens reserved for an answer of a model that nothing is known about."""
MOST_FOR_TOKENS = 2000
"""Token quotas never hold more than this for an answer: few answers are longer."""
LOWEST, PLAIN, HIGHEST = 500, 1000, 2000
"""The correction stays between a half and the double."""
WEIGHT = 8
"""One answer moves the correction by an eighth of what it was off."""
SMALLEST = 20
"""Prompts shorter than this (tokens) teach nothing: they are mostly wrapping."""
REMEMBERED = 64
"""Answers per model whose length is remembered."""
ENOUGH = 8
"""From so many answers on, "usual" means something."""
MODELS = 4096


class Learned:
    """What is known about one model."""

    __slots__ = ("factor", "outputs", "usual")

    def __init__(self) -> None:
        self.factor: int | None = None
        self.outputs: deque[int] = deque(maxlen=REMEMBERED)
        self.usual: int | None = None


class Estimator:
    """Learns from reported usage; knows nothing about a model that it has not seen.

    Keys are whatever tells models apart, usually `Offer.key`. The least recently
    learned of more than MODELS is forgotten.
    """

    def __init__(self) -> None:
        self._models: OrderedDict[Hashable, Learned] = OrderedDict()

    def tokens_in(self, ask_estimate: int, key: Hashable) -> int:
        """Prompt tokens: the heuristic, corrected, rounded up."""
        model = self._models.get(key)
        if model is None or model.factor is None:
            return ask_estimate
        return -(-ask_estimate * model.factor // PLAIN)

    def output_reserve(self, key: Hashable, max_tokens: int | None) -> tuple[int, int]:
        """Tokens to reserve for the answer: (in token quotas, in money limits)."""
        if max_tokens is not None:
            most = max(0, max_tokens)
        else:
            model = self._models.get(key)
            most = UNKNOWN_OUTPUT
            if model is not None and model.usual is not None:
                most = model.usual
        return min(most, MOST_FOR_TOKENS), most

    def usual_output(self, key: Hashable) -> int:
        """Tokens that an answer seldom has more of, UNKNOWN_OUTPUT before that is known."""
        model = self._models.get(key)
        known = model.usual if model is not None else None
        return UNKNOWN_OUTPUT if known is None else known

    def learn(self, key: Hashable, estimate: int, real: int) -> None:
        """A prompt that was estimated (uncorrected) at so many tokens had so many."""
        if estimate < SMALLEST or real <= 0:
            return
        seen = min(max(real * PLAIN // estimate, LOWEST), HIGHEST)
        model = self._model(key)
        if model.factor is None:
            model.factor = (PLAIN + seen) // 2
        else:
            off = seen - model.factor
            model.factor += off // WEIGHT if off > 0 else -(-off // WEIGHT)

    def learn_output(self, key: Hashable, tokens: int) -> None:
        """An answer had so many tokens, reasoning included."""
        if tokens <= 0:
            return
        model = self._model(key)
        model.outputs.append(tokens)
        if len(model.outputs) >= ENOUGH:
            ordered = sorted(model.outputs)
            model.usual = ordered[-1 - len(ordered) // 20]

    def _model(self, key: Hashable) -> Learned:
        model = self._models.get(key)
        if model is None:
            if len(self._models) >= MODELS:
                self._models.popitem(last=False)
            model = self._models[key] = Learned()
        self._models.move_to_end(key)
        return model
