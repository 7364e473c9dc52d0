"""The tables. Importing this package makes all of them known to `Base.metadata`."""

from sync.models.accounts import Actor, LoginFailures, Server, Token
from sync.models.base import Base
from sync.models.entities import Entity, EntityList, EntityStep, Membership
from sync.models.indicators import (
    Contribution,
    Indicator,
    IndicatorVersion,
    StatementIssue,
    StatementText,
    Target,
)
from sync.models.intake import Batch, Quarantined, StoredFile, Upload
from sync.models.projects import Assignment, Audit, Event, Form, FormFile, FormVersion, Place, Project
from sync.models.submissions import Attachment, Comment, Submission, SubmissionVersion

__all__ = [
    "Actor",
    "Assignment",
    "Attachment",
    "Audit",
    "Base",
    "Batch",
    "Comment",
    "Contribution",
    "Entity",
    "EntityList",
    "EntityStep",
    "Event",
    "Form",
    "FormFile",
    "FormVersion",
    "Indicator",
    "IndicatorVersion",
    "LoginFailures",
    "Membership",
    "Place",
    "Project",
    "Quarantined",
    "Server",
    "StatementIssue",
    "StatementText",
    "StoredFile",
    "Submission",
    "SubmissionVersion",
    "Target",
    "Token",
    "Upload",
]
