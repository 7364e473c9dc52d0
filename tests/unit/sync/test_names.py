"""Names that instances give themselves are on their rows, also on rows older than the column."""

from pathlib import Path

from sqlalchemy import Engine, select, update

from sync.indicators.recount import verify_portion
from sync.models import Submission, SubmissionVersion
from tests.support.projects import Desk, a_desk, a_sale


def a_named_sale(name: str, called: str, edits: str | None = None) -> dict[str, object]:
    deprecated = f"<deprecatedID>{edits}</deprecatedID>" if edits else ""
    meta = f"<meta><instanceID>{name}</instanceID>{deprecated}<instanceName>{called}</instanceName></meta>"
    return {"instance_id": name, "xml": f"<data id='sale' version='1'><sacks>3</sacks>{meta}</data>"}


def names(desk: Desk) -> tuple[list[str | None], list[str | None]]:
    """Of the submissions, and of their versions."""
    with desk.sessions() as session:
        submissions = session.scalars(select(Submission.instance_name).order_by(Submission.id))
        versions = session.scalars(select(SubmissionVersion.instance_name).order_by(SubmissionVersion.instance_id))
        return list(submissions), list(versions)


def test_a_rebuild_fills_in_the_names_of_older_rows(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path / "files")
    desk.send([a_named_sale("uuid:1", "Awa, Siby"), a_named_sale("uuid:2", "Awa, Kati", edits="uuid:1"), a_sale(3)])
    before = names(desk)
    with desk.sessions() as session:
        for kind in (Submission, SubmissionVersion):
            session.execute(update(kind).values(instance_name=None))
        session.commit()
        assert len(verify_portion(session, desk.project_id, 0).differences) == 2

    desk.rebuild()

    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []

    assert names(desk) == before == (["Awa, Kati", None], [None, "Awa, Siby", "Awa, Kati"])
