"""Refusals: the one vocabulary for saying no. `server` turns them into answers, `intake` into an item's receipt."""

from __future__ import annotations

from typing import Any, ClassVar

from forms.findings import Finding


class Refusal(Exception):
    """Something that was asked for and will not be done. `code` is `status.detail`, as ODK clients compare it."""

    code: ClassVar[float] = 400.0
    title: ClassVar[str] = "This cannot be done"

    def __init__(
        self,
        detail: str | None = None,
        *,
        findings: list[Finding] | None = None,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.detail = detail or self.title
        self.findings = findings or []
        self.details = details
        self.retry_after = retry_after
        super().__init__(self.detail)

    @property
    def status(self) -> int:
        return int(self.code)


class Unparseable(Refusal):
    code = 400.1
    title = "The body could not be read"


class Missing(Refusal):
    code = 400.2
    title = "Something required is missing"


class FieldMissing(Refusal):
    code = 400.7
    title = "The form that was sent lacks a field"


class Unexpected(Refusal):
    code = 400.8
    title = "A value is not what was expected"


class Undecryptable(Refusal):
    code = 400.12
    title = "This cannot be decrypted with what was given"


class WorkbookFaulty(Refusal):
    code = 400.15
    title = "The workbook cannot be published"


class BadFilter(Refusal):
    code = 400.18
    title = "The filter cannot be understood"


class InvalidEntity(Refusal):
    code = 400.28
    title = "This is no entity of the list"


class PendingSubmissions(Refusal):
    code = 400.29
    title = "Submissions wait for approval; say convert=true to let them act, and reject before what should not"


class NotAnEdit(Refusal):
    code = 400.19
    title = "The instance does not say in meta/deprecatedID which one it corrects"


class Unauthenticated(Refusal):
    code = 401.2
    title = "Sign in with a valid e-mail address and password, or a valid token"


class Forbidden(Refusal):
    code = 403.1
    title = "You may not do this"


class NotFound(Refusal):
    code = 404.1
    title = "There is nothing here, or not for you"


class OriginalUnknown(Refusal):
    """`deprecatedID` names an instance that is not here."""

    code = 404.5
    title = "It corrects a submission that has not arrived yet"


class VersionUnknown(Refusal):
    code = 404.6
    title = "This version of the form has not been published here"


class ContentDiffers(Refusal):
    code = 409.1
    title = "A submission with this id and other content is stored; the first one stays"


class FormClosed(Refusal):
    code = 409.2
    title = "The form takes no submissions now"


class NotAcceptable(Refusal):
    code = 406.1
    title = "This comes in another format than the client takes"


class VersionDiffers(Refusal):
    code = 409.6
    title = "This version has been published with other content; give the workbook a new version"


class Exists(Refusal):
    code = 409.3
    title = "There is one already"


class FormDeleted(Exists):
    title = "A form of this id was deleted; restore it, or give the new one another form_id"


class NeverPublished(Refusal):
    code = 409.7
    title = "The form has never been published"


class EntityNotFound(NotFound):
    code = 404.8
    title = "There is no such entity"


class DraftGone(Refusal):
    code = 404.4
    title = "This draft was published or thrown away; ask whoever showed you the code for the new one"


class WorkbookWarnings(Refusal):
    code = 400.16
    title = "The form can be made, but look at these warnings first; ignoreWarnings=true passes over them"


class IdTaken(Refusal):
    code = 409.8
    title = "The id of this correction belongs to another submission"


class Superseded(Refusal):
    code = 409.9
    title = "This has been corrected meanwhile; what was sent is not its newest version"


class Deleted(Refusal):
    code = 409.18
    title = "The submission with this id has been deleted"


class Stale(Refusal):
    code = 409.15
    title = "Somebody has changed this meanwhile; look again"


class AlreadyDecided(Refusal):
    code = 409.33
    title = "Somebody has decided this already"


class TooLarge(Refusal):
    code = 413.1
    title = "More than one request may carry"


class TooMany(Refusal):
    code = 429.1
    title = "Too many requests; wait and try again"


class Busy(Refusal):
    code = 503.1
    title = "The server is busy; wait and try again"


class DiskFull(Refusal):
    code = 507.1
    title = "The server has no room left; keep everything and try again later"


class LastAdministrator(Refusal):
    code = 409.32
    title = "You are the last administrator of this project; make somebody else one first"


class OffsetDiffers(Refusal):
    code = 409.31
    title = "The upload does not stand at this offset; ask for it with HEAD and go on from there"


class Gone(Refusal):
    code = 410.1
    title = "This upload has expired; begin it anew"


class HashDiffers(Refusal):
    code = 460.1
    title = "The bytes that arrived do not have the hash that was announced; send them again"


class NotImplementedHere(Refusal):
    """Something that others do and this server does not."""

    code = 501.1
    title = "This is not done here"
