"""What axe-core finds serious or critical on a page as it stands."""

from axe_playwright_python.sync_playwright import Axe

SERIOUS = ("serious", "critical")


def serious(page):
    """[(rule, element, why)]."""
    return [
        (one["id"], node["html"][:200], node["failureSummary"][:200])
        for one in Axe().run(page).response["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]
