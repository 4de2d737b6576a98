//! "AWS API Call via CloudTrail": who called what, and how ECS answered.
//!
//! Record contents:
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use serde_json::Value;

use super::{Fields, Time};

pub(super) const DETAIL_TYPE: &str = "AWS API Call via CloudTrail";

#[derive(Debug, Clone, Default)]
pub struct ApiCall {
    pub name: Option<String>,
    pub event_id: Option<String>,
    pub time: Option<Time>,
    pub region: Option<String>,
    pub account: Option<String>,
    pub read_only: Option<bool>,
    /// Absent on success, where CloudTrail leaves the field out or writes `""`.
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub user_agent: Option<String>,
    pub source_ip: Option<String>,
    pub identity: Identity,
    /// Null for denied calls, and for some others.
    pub request: Value,
    pub response: Value,
}

/// `userIdentity`:
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// `type`: IAMUser, AssumedRole, Root, AWSService …
    pub kind: Option<String>,
    pub arn: Option<String>,
    pub user_name: Option<String>,
    /// `principalId`. For the session of a role it is `ID:SESSION`.
    pub principal: Option<String>,
    pub account: Option<String>,
    /// The AWS service that made the call, on its own or on behalf of a person.
    pub invoked_by: Option<String>,
    /// The role of a session.
    pub role: Option<String>,
}

impl ApiCall {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Self {
            name: fields.text("eventName"),
            event_id: fields.text("eventID"),
            time: fields.time("eventTime"),
            region: fields.text("awsRegion"),
            account: fields.text("recipientAccountId"),
            read_only: fields.flag("readOnly"),
            error_code: fields.text("errorCode"),
            error_message: fields.text("errorMessage"),
            user_agent: fields.text("userAgent"),
            source_ip: fields.text("sourceIPAddress"),
            identity: Identity::read(fields.object("userIdentity")),
            request: fields.object("requestParameters").value().clone(),
            response: fields.object("responseElements").value().clone(),
        }
    }
}

impl Identity {
    fn read(fields: Fields<'_>) -> Self {
        let issuer = fields.object("sessionContext").object("sessionIssuer");
        Self {
            kind: fields.text("type"),
            arn: fields.text("arn"),
            user_name: fields.text("userName"),
            principal: fields.text("principalId"),
            account: fields.text("accountId"),
            invoked_by: fields.text("invokedBy"),
            role: issuer.text("userName"),
        }
    }
}
