"""What `mitmdump -s addon/gateway.py` loads. Everything lives in the package beside it."""

from llm_gateway.addon import Gateway

addons = [Gateway()]
