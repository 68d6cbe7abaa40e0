"""Pages of charts in a real browser: opened with a check that they are quiet, and looked at by axe."""

from contextlib import contextmanager


@contextmanager
def opened(browser, path, *, width=1300, height=900, locale="en-GB", scheme="light"):
    """A page of charts, with a check that it said nothing to the console and asked nobody for anything."""
    context = browser.new_context(viewport={"width": width, "height": height}, locale=locale, color_scheme=scheme)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    page.wait_for_function("performance.getEntriesByName('drawn').length")
    yield page
    assert complaints == []
    context.close()


def serious_violations(page, modules):
    """The rules of axe-core that a page breaks seriously."""
    page.evaluate((modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then((result) => result.violations)")
    return [each["id"] for each in found if each["impact"] in ("serious", "critical")]


def lines_of(page, title):
    """What stands below the chart of a title: the cursor's place and the lines with their values."""
    return " ".join(page.locator(f"figure:has(figcaption:text-is('{title}')) .lines").inner_text().split())
