"""The plugin's own static files, from a fixed table.

Datasette would serve `static/` too, but under a name that depends on how the plugin was
installed, and without a version in the address. Here every file lives below one hash of
them all, so browsers may keep them for ever and still see a new release at once.
"""

import hashlib
from functools import cache
from importlib import resources

UPLOT = "vendor/uplot-1.6.32"

TYPES = {
    "gw.css": "text/css",
    "pages.css": "text/css",
    "theme.js": "text/javascript",
    "dress.css": "text/css",
    "dress.js": "text/javascript",
    "base.js": "text/javascript",
    "notifications.js": "text/javascript",
    "bars.js": "text/javascript",
    "overview.js": "text/javascript",
    "live.js": "text/javascript",
    "rows.js": "text/javascript",
    "rightnow.js": "text/javascript",
    "since.js": "text/javascript",
    "tape.js": "text/javascript",
    "sidebar.js": "text/javascript",
    "history.js": "text/javascript",
    "plots.js": "text/javascript",
    "request.js": "text/javascript",
    "apps.js": "text/javascript",
    "requests.js": "text/javascript",
    "config.js": "text/javascript",
    "cards.js": "text/javascript",
    "editor.js": "text/javascript",
    "forms.js": "text/javascript",
    "tools.js": "text/javascript",
    "versions.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "icon-warn.svg": "image/svg+xml",
    "icon-hot.svg": "image/svg+xml",
    f"{UPLOT}/uPlot.iife.min.js": "text/javascript",
    f"{UPLOT}/uPlot.min.css": "text/css",
    f"{UPLOT}/LICENSE": "text/plain",
}
"""Every file that is served, and as what."""


@cache
def content(name: str) -> bytes:
    """The file's bytes. `name` must be a key of TYPES."""
    return resources.files(__package__).joinpath("static", name).read_bytes()


@cache
def version() -> str:
    """One short hash of all files."""
    digest = hashlib.sha256()
    for name in TYPES:
        digest.update(content(name))
    return digest.hexdigest()[:12]
