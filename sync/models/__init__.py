"""The tables. Importing this package makes all of them known to `Base.metadata`."""

from sync.models.accounts import Actor, Invitation, LoginFailures, RecoveryCode, Server, Token
from sync.models.base import Base
from sync.models.entities import Entity, EntityAssignment, EntityList, EntityStep, Membership
from sync.models.indicators import (
    Contribution,
    Indicator,
    IndicatorVersion,
    IssueText,
    StatementIssue,
    StatementText,
    Target,
    WordTemplate,
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
from sync.models.reviewing import ReviewLease, SavedView
from sync.models.submissions import (
    Attachment,
    BulkReviewed,
    Comment,
    RepeatRow,
    ReviewBulk,
    Submission,
    SubmissionVersion,
)
from sync.models.traffic import Traffic
from sync.models.webhooks import Delivery, Lease, Webhook
from sync.models.worked import WorkedOut

__all__ = [
    "Actor",
    "Assignment",
    "Attachment",
    "Audit",
    "Base",
    "Batch",
    "BulkReviewed",
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
    "Invitation",
    "IssueText",
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
    "RecoveryCode",
    "RepeatRow",
    "ReviewBulk",
    "ReviewLease",
    "SavedView",
    "Server",
    "StatementIssue",
    "StatementText",
    "StoredFile",
    "Submission",
    "SubmissionVersion",
    "Target",
    "Token",
    "Traffic",
    "Upload",
    "Webhook",
    "WordTemplate",
    "WorkedOut",
]
