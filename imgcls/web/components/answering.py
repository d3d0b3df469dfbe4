"""What a component's script asks the server: a function of one object that answers with one, or with a sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from imgcls.errors import ImgclsError
from imgcls.web.i18n.translator import Translator


def answering(function: Callable[..., dict[str, Any]], words: Translator) -> Callable[..., dict[str, Any]]:
    """What comes from the browser is not trusted: whatever is no object of the right shape gets a sentence too."""

    def answered(asked: Any) -> dict[str, Any]:
        try:
            return function(asked if isinstance(asked, dict) else {})
        except ImgclsError as error:
            return {"error": words.message(error.message)}
        except (KeyError, TypeError, ValueError):
            logging.getLogger(__name__).exception("%s", function.__name__)
            return {"error": words("That did not work: choose again.")}

    answered.__name__ = function.__name__
    return answered
