"""Management API for who runs the gateway: reload, polls, notices, quirks, cluster, log level.

What lives here: `OperatorRoutes`; the admin token is needed for each.
"""

from dataclasses import dataclass

from llm_gateway.admin.cluster_routes import (
    cluster_fold,
    cluster_settle,
    cluster_status,
)
from llm_gateway.admin.config_routes import ConfigRoutes
from llm_gateway.admin.json_responses import AdminRequest, BadRequest, answer_json
from llm_gateway.app.state import LEVELS, AppState
from llm_gateway.providers.key_detection import allowance
from llm_gateway.transport.local_response import LocalResponse


@dataclass(slots=True)
class OperatorRoutes:
    runtime: AppState
    config: ConfigRoutes

    async def reload(self, asked: AdminRequest) -> LocalResponse:
        """Everything is looked at again: the file, and what providers have and allow."""
        answer = await self.config.reload()
        if self.runtime.polls is not None:
            self.runtime.polls.ask_all()
        return answer

    async def models_refresh(self, asked: AdminRequest) -> LocalResponse:
        """Ask every provider for its list and for what is left, and wait for it."""
        polls = self.runtime.polls
        if polls is None:
            return answer_json({"polls": []})
        await polls.refresh()
        return answer_json({"polls": polls.as_json()})

    def polls(self, asked: AdminRequest) -> LocalResponse:
        """How old what providers said of their models and quotas is; what free tiers give."""
        polls = self.runtime.polls
        loader = self.config.service.loader
        rows = loader.catalogue.types(loader.clock()).values()
        return answer_json(
            {
                "polls": polls.as_json() if polls is not None else [],
                "free_tiers": {r.type: allowance(r) for r in rows if r.free_presets},
            }
        )

    def notices(self, asked: AdminRequest) -> LocalResponse:
        """What was warned of once, and how often it came since."""
        return answer_json({"notices": self.runtime.notices.as_json()})

    def quirks_forget(self, asked: AdminRequest) -> LocalResponse:
        """What refusals of a provider, or of one of its models, taught."""
        said = asked.json()
        provider, model = said.get("provider"), said.get("model")
        if not isinstance(provider, str) or not provider:
            raise BadRequest(400, 'Whose? {"provider": ID} and, if you like, "model".')
        if model is not None and not isinstance(model, str):
            raise BadRequest(400, "`model` is the name that the provider is sent.")
        return answer_json({"forgotten": self.runtime.forget_quirks(provider, model)})

    def cluster_get(self, asked: AdminRequest) -> LocalResponse:
        return answer_json(cluster_status(self.runtime))

    async def cluster_fold(self, asked: AdminRequest) -> LocalResponse:
        return answer_json(await cluster_fold(self.runtime))

    async def cluster_settle(self, asked: AdminRequest) -> LocalResponse:
        return answer_json(await cluster_settle(self.runtime, asked))

    def level_get(self, asked: AdminRequest) -> LocalResponse:
        return answer_json({"level": self.runtime.log_level})

    def level_set(self, asked: AdminRequest) -> LocalResponse:
        level = asked.json().get("level")
        if not isinstance(level, str) or level not in LEVELS:
            raise BadRequest(400, f"level is one of {', '.join(LEVELS)}.")
        self.runtime.set_log_level(level)
        return answer_json({"level": level})
