"""The gateway for `bytecodes`: it counts what Python does for each request."""

import collections
import json
import os
import sys
import time
from pathlib import Path

from llm_gateway import late_patterns
from llm_gateway.accounting import prices
from llm_gateway.addon import Gateway

WARM_UP, REQUESTS = 100, 300

# What a gateway loads in its first seconds is nothing that a request runs.
late_patterns.compile_all(lambda _: None)
prices.known_price("openai", "gpt-4o-mini", time.time())


class Count:
    """The add-on that counts."""

    def __init__(self) -> None:
        self.answered = 0
        self.counts: collections.Counter[object] = collections.Counter()

    def response(self, flow: object) -> None:
        self.answered += 1
        if self.answered == WARM_UP:
            sys.monitoring.use_tool_id(4, "count")
            event = getattr(sys.monitoring.events, os.environ["BENCH_EVENT"])
            sys.monitoring.register_callback(4, event, self.count)
            sys.monitoring.set_events(4, event)
        elif self.answered == WARM_UP + REQUESTS:
            sys.monitoring.set_events(4, 0)
            found = [
                (code.co_filename, code.co_qualname, count / REQUESTS)
                for code, count in self.counts.most_common()
            ]
            Path(os.environ["BENCH_COUNTS"]).write_text(json.dumps(found))

    def count(self, code: object, offset: int, *_: object) -> None:
        self.counts[code] += 1


addons = [Gateway(), Count()]
