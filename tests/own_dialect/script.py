"""For `mitmdump -s`: the gateway with one dialect more."""

from llm_gateway.addon import Gateway
from llm_gateway.dialects import register
from own_dialect import PARLEY

register(PARLEY)

addons = [Gateway()]
