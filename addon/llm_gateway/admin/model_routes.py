"""`GET /v1/models` and `/models/NAME`: the models that can be asked for, in each dialect's form.

What lives here: `ModelRoutes`. What this file does not know: which paths these are, and
Anthropic's pages (model_lists.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from llm_gateway.admin.json_responses import AdminRequest, answer_json
from llm_gateway.admin.model_lists import (
    BadPage,
    anthropic_entry,
    anthropic_page,
    listed_model,
    version_of,
)
from llm_gateway.app.state import AppState
from llm_gateway.dialects import (
    DEFAULT,
    DialectSpec,
    lists_models_as,
    models_list,
    spoken_with,
)
from llm_gateway.dialects.spec import ModelLists
from llm_gateway.providers.model_index import unknown_model
from llm_gateway.transport.local_response import LocalResponse


@dataclass(slots=True)
class ModelRoutes:
    runtime: AppState

    def models(self, asked: AdminRequest) -> LocalResponse:
        """The list, or one of it; aliases have an entry of their own, too."""
        name = listed_model(asked.path)
        own = lists_models_as(version_of(asked.path), asked.headers, asked.query)
        if own is not None:
            return self._own_models(*own, name or "", asked.query)
        spoken = spoken_with(asked.headers)
        anthropic = spoken is not DEFAULT
        names = self.runtime.catalog.model_names()
        if not name:
            if not anthropic:
                return LocalResponse(200, models_list(names))
            try:
                return answer_json(anthropic_page(names, asked.query))
            except BadPage as e:
                body = spoken.error_body(400, "invalid_request", str(e))
                return LocalResponse(400, body)
        if (unknown := self._unknown(spoken, name)) is not None:
            return unknown
        if anthropic:
            return answer_json(anthropic_entry(name))
        [only] = json.loads(models_list([name]))["data"]
        return answer_json(only)

    def _own_models(
        self,
        spoken: DialectSpec,
        lists: ModelLists,
        name: str,
        query: Mapping[str, str],
    ) -> LocalResponse:
        """The list, or one of it, in a dialect's own form."""
        if not name:
            try:
                return answer_json(
                    lists.page(self.runtime.catalog.model_names(), query)
                )
            except ValueError as e:
                body = spoken.error_body(400, "invalid_request", str(e))
                return LocalResponse(400, body)
        if (unknown := self._unknown(spoken, name)) is not None:
            return unknown
        return answer_json(lists.entry(name))

    def _unknown(self, spoken: DialectSpec, name: str) -> LocalResponse | None:
        """404 in the dialect that is spoken; None: the model is here."""
        catalog = self.runtime.catalog
        if any(catalog.names.match_tiers(name)):
            return None
        message = unknown_model(name, catalog.model_names())
        return LocalResponse(404, spoken.error_body(404, "model_not_found", message))
