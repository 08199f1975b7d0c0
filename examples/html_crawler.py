"""A crawler inside a library that knows nothing of async: the standard library's html.parser calls back, and waits.

`HTMLParser.feed()` is an ordinary Python function that calls `handle_starttag()` whenever it meets a tag. Here that
method fetches the linked page at once, so that a page is crawled where its link stands; while it waits, the whole
parser with everything on its stack is suspended, and the crawlers of the other pages run.

        python examples/html_crawler.py [asyncio|trio|curio]
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from time import perf_counter

import ohwait

SITE = {
    "/": '<h1>Home</h1> <a href="/animals">Animals</a> <a href="/plants">Plants</a>',
    "/animals": '<h1>Animals</h1> <a href="/animals/cat">Cat</a> <a href="/animals/owl">Owl</a>',
    "/animals/cat": "<h1>Cat</h1> It sleeps.",
    "/animals/owl": '<h1>Owl</h1> It does not, see <a href="/animals/cat">the cat</a>.',
    "/plants": '<h1>Plants</h1> <a href="/plants/oak">Oak</a> <a href="/plants/elm">Elm</a>',
    "/plants/oak": "<h1>Oak</h1>",
    "/plants/elm": "<h1>Elm</h1>",
}
SECONDS = 0.05


def fetch(path: str) -> str:
    """Stands for a request over the network."""
    ohwait.sleep(SECONDS)
    return SITE[path]


class Crawler(HTMLParser):
    """Lists the title of a page and, indented below it, those of the pages that it links to."""

    def __init__(self, seen: set[str], depth: int = 0) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._seen = seen
        self._depth = depth
        self._in_title = False

    def crawl(self, path: str) -> list[str]:
        self._seen.add(path)
        self.feed(fetch(path))
        self.close()
        return self.lines

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by html.parser, in the middle of its work."""
        self._in_title = tag == "h1"
        path = dict(attrs).get("href")
        if tag == "a" and path is not None and path not in self._seen:
            self.lines += Crawler(self._seen, self._depth + 1).crawl(path)

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.lines.append("  " * self._depth + data)


def crawl(path: str) -> list[str]:
    crawler = Crawler(set())
    return crawler.crawl(path)


def main() -> None:
    starts = ("/", "/animals", "/plants")
    start = perf_counter()
    with ohwait.scope() as scope:
        handles = [scope.spawn(crawl, path) for path in starts]
    seconds = perf_counter() - start
    pages = 0
    for path, handle in zip(starts, handles, strict=True):
        lines = handle.result()
        pages += len(lines)
        print(f"from {path}", *lines, sep="\n    ")
    print(f"{pages} pages of {SECONDS} s each, three crawls side by side: {seconds:.2f} s")


if __name__ == "__main__":
    choose = {"asyncio": ohwait.use_asyncio, "trio": ohwait.use_trio, "curio": ohwait.use_curio}
    choose[sys.argv[1] if len(sys.argv) > 1 else "asyncio"]()
    ohwait.run(main)
