"""What is compiled once is one and the same for every thread."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sync.projects.catalogue import Shelf


def test_threads_that_make_the_same_thing_at_once_all_go_on_with_the_first() -> None:
    shelf, both = Shelf[object](10), Barrier(2)

    def make() -> object:
        both.wait(10)
        return object()

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: shelf.get("form", make), range(2)))

    assert found[0] is found[1] is shelf.get("form", object)


def test_what_was_asked_for_last_stays() -> None:
    shelf = Shelf[object](2)
    first, _ = shelf.get("a", object), shelf.get("b", object)
    assert shelf.get("a", object) is first
    shelf.get("c", object)

    assert shelf.get("a", object) is first
    assert shelf.get("c", object) is shelf.get("c", object)
