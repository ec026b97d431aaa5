"""The gateway under test has little patience and few places: tests need not wait."""

from llm_gateway.transport import connection_limits
from llm_gateway.transport.connection_limits import Stage

connection_limits.BOUNDS = {Stage.HEAD: 0.5, Stage.BODY: 1.0, Stage.IDLE: 1.0}
connection_limits.LOOK_SECONDS = 0.05
connection_limits.most_connections = lambda: 24
