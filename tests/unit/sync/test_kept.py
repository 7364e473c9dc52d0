"""What a process has read of projects and keeps: no longer than it is true, and of no more projects than it may."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from sync.models.kept import Kept


def reader(kept: Kept[str], session: Session) -> tuple[Callable[..., str], list[int]]:
    """Asks for something of a project; and the projects that had to be read."""
    read: list[int] = []

    def ask(project_id: int, stamp: int = 1, keep: bool = True) -> str:
        def now() -> str:
            read.append(project_id)
            return f"{project_id} at {stamp}"

        return kept.get(session, project_id, stamp, keep, now)

    return ask, read


def test_it_is_read_again_once_its_stamp_is_another(session: Session) -> None:
    ask, read = reader(Kept(), session)

    assert [ask(1), ask(1), ask(1, 2), ask(1, 2)] == ["1 at 1", "1 at 1", "1 at 2", "1 at 2"]
    assert read == [1, 1]


def test_what_may_be_taken_back_is_not_kept(session: Session) -> None:
    ask, read = reader(Kept(), session)

    assert [ask(1, 1, False), ask(1, 1)] == ["1 at 1", "1 at 1"]
    assert read == [1, 1]


def test_of_more_projects_than_it_may_keep_it_lets_the_one_go_that_was_read_first(session: Session) -> None:
    ask, read = reader(Kept(2), session)

    for project_id in (1, 2, 1, 3, 2, 3, 1):
        ask(project_id)

    assert read == [1, 2, 3, 1]
