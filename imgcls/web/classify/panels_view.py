"""What opens on demand below the answer. Its value says what the server is asked about:

    {"checkpoint": "lenet-digits/best", "photo": where the upload lies, or null}

as JSON. Each part has functions for its script, js/<part>.js; what the scripts share is js/desk.js.
"""

from __future__ import annotations

from typing import Any

from imgcls.web.classify import batch, compare, corrections, stages
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.scripts import starts
from imgcls.web.shared.server_functions import ServerHTML

# For the `js` of an event with the checkpoint and the photo: the value.
ABOUT = "(checkpoint, photo) => JSON.stringify({ checkpoint, photo: photo ? photo.path : null, at: Date.now() })"
MAX_CHARS = 5000  # characters of the value


class OnDemand(ServerHTML):
    def __init__(self, context: PageContext, **options: Any) -> None:
        translate, cache, limits = context.translate, context.run_cache, context.limits
        functions = [f for panel in (compare, batch) for f in panel.server_functions(translate, cache, limits)]
        functions += stages.server_functions(translate, cache)
        functions += corrections.server_functions(translate, cache, limits, context.people)
        failed = "element.hidden = true;"  # what the answer's script says is enough
        super().__init__(
            "panels",
            {},
            functions,
            longest=MAX_CHARS,
            script=starts("classify/js/classify.js", function="onDemand", failed=failed),
            **options,
        )
