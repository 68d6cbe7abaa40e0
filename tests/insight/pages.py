"""Pages of charts in a real browser, which mark when they are drawn."""

from functools import partial

from tests.browser import opened as opened_page

opened = partial(opened_page, wait=lambda page: page.wait_for_function("performance.getEntriesByName('drawn').length"))


def lines_of(page, title):
    """What stands below the chart of a title: the cursor's place and the lines with their values."""
    return " ".join(page.locator(f"figure:has(figcaption:text-is('{title}')) .lines").inner_text().split())
