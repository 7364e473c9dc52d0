"""The tables. Importing this package makes all of them known to `Base.metadata`."""

from sync.models.accounts import Actor, LoginFailures, Server, Token
from sync.models.base import Base
from sync.models.entities import Entity, EntityAssignment, EntityList, EntityStep, Membership
from sync.models.indicators import (
    Contribution,
    Indicator,
    IndicatorVersion,
    StatementIssue,
    StatementText,
    Target,
)
from sync.models.intake import Batch, Quarantined, StoredFile, Upload
from sync.models.matching import Match, MatchDecision, MatchKey, MatchModel, MatchTerm
from sync.models.projects import (
    Assignment,
    Audit,
    DraftFile,
    DraftSubmission,
    EncryptionKey,
    Event,
    Form,
    FormAssignment,
    FormDraft,
    FormFile,
    FormVersion,
    Place,
    Project,
)
from sync.models.submissions import Attachment, Comment, RepeatRow, Submission, SubmissionVersion
from sync.models.webhooks import Delivery, Lease, Webhook

__all__ = [
    "Actor",
    "Assignment",
    "Attachment",
    "Audit",
    "Base",
    "Batch",
    "Comment",
    "Contribution",
    "Delivery",
    "DraftFile",
    "DraftSubmission",
    "EncryptionKey",
    "Entity",
    "EntityAssignment",
    "EntityList",
    "EntityStep",
    "Event",
    "Form",
    "FormAssignment",
    "FormDraft",
    "FormFile",
    "FormVersion",
    "Indicator",
    "IndicatorVersion",
    "Lease",
    "LoginFailures",
    "Match",
    "MatchDecision",
    "MatchKey",
    "MatchModel",
    "MatchTerm",
    "Membership",
    "Place",
    "Project",
    "Quarantined",
    "RepeatRow",
    "Server",
    "StatementIssue",
    "StatementText",
    "StoredFile",
    "Submission",
    "SubmissionVersion",
    "Target",
    "Token",
    "Upload",
    "Webhook",
]
