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


class Unexpected(Refusal):
    code = 400.8
    title = "A value is not what was expected"


class WorkbookFaulty(Refusal):
    code = 400.15
    title = "The workbook cannot be published"


class Unauthenticated(Refusal):
    code = 401.2
    title = "Sign in with a valid e-mail address and password, or a valid token"


class Forbidden(Refusal):
    code = 403.1
    title = "You may not do this"


class NotFound(Refusal):
    code = 404.1
    title = "There is nothing here, or not for you"


class VersionDiffers(Refusal):
    code = 409.6
    title = "This version has been published with other content; give the workbook a new version"


class Exists(Refusal):
    code = 409.3
    title = "There is one already"


class Stale(Refusal):
    code = 409.15
    title = "Somebody has changed this meanwhile; look again"


class AlreadyDecided(Refusal):
    code = 409.30
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


class OffsetDiffers(Refusal):
    code = 409.31
    title = "The upload does not stand at this offset; ask for it with HEAD and go on from there"


class Gone(Refusal):
    code = 410.1
    title = "This upload has expired; begin it anew"


class HashDiffers(Refusal):
    code = 460.1
    title = "The bytes that arrived do not have the hash that was announced; send them again"
