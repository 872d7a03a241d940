//! Reading the answer of `/samlValidate` (R-248 to R-257).
//!
//! The document is read once, front to back, into [`Envelope`] and its parts, which hold what stands there without
//! judging it. What it means is decided afterwards, so that a refusal is a refusal whatever else the document holds.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::{SamlAssertion, SamlResponse, soap};
use crate::xml::{Namespace, Reader, Value};
use crate::{Attributes, ErrorClass, Failure, ReadError, ReadOptions, ServiceUrl};
use crate::{instant, text};

/// What a response is held against: the service it must be for, and the time.
///
/// ```
/// use casque_proto::ServiceUrl;
/// use casque_proto::saml::SamlExpectation;
/// use std::time::{Duration, SystemTime};
///
/// let service = ServiceUrl::parse("https://app.example.org/app/")?;
/// let expectation = SamlExpectation::new(&service, SystemTime::UNIX_EPOCH)
///     .tolerance(Duration::from_secs(2))
///     .in_response_to("_0123456789abcdef0123456789abcdef");
/// # Ok::<(), casque_proto::ServiceUrlError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SamlExpectation<'a> {
    service: &'a ServiceUrl,
    now: SystemTime,
    tolerance: Duration,
    in_response_to: Option<&'a str>,
    judges_conditions: bool,
}

impl<'a> SamlExpectation<'a> {
    /// How far the clocks of application and server may differ by default: 5 s (R-251).
    pub const TOLERANCE: Duration = Duration::from_secs(5);

    /// The response must be for `service` and valid at `now`.
    pub fn new(service: &'a ServiceUrl, now: SystemTime) -> Self {
        Self {
            service,
            now,
            tolerance: Self::TOLERANCE,
            in_response_to: None,
            judges_conditions: true,
        }
    }

    /// How far the clocks may differ.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Also require that the response answers the request of this id (R-253). Not every server says so.
    #[must_use]
    pub fn in_response_to(mut self, request_id: &'a str) -> Self {
        self.in_response_to = Some(request_id);
        self
    }

    /// Believe an assertion whatever its period of validity and its audience.
    ///
    /// # Security
    ///
    /// An assertion of yesterday, or for another application, then signs people in (R-251, R-252). It is for programs
    /// that are moved from a library which looked at neither, while that is being put right.
    #[must_use]
    pub fn without_conditions(mut self) -> Self {
        self.judges_conditions = false;
        self
    }

    fn holds_between(&self, not_before: SystemTime, not_on_or_after: SystemTime) -> bool {
        // A sum beyond all time is later than now; a difference before all time is earlier.
        let started = not_before
            .checked_sub(self.tolerance)
            .is_none_or(|start| start <= self.now);
        let over = not_on_or_after
            .checked_add(self.tolerance)
            .is_some_and(|end| end <= self.now);
        started && !over
    }

    fn is_for(&self, audience: &str) -> bool {
        audience == self.service.as_str()
            || ServiceUrl::parse(audience).is_ok_and(|audience| audience.matches(self.service))
    }
}

impl SamlResponse {
    /// Reads the answer of `/samlValidate`.
    ///
    /// ```
    /// use casque_proto::saml::{SamlAssertion, SamlExpectation, SamlReply, SamlResponse, SamlStamp};
    /// use casque_proto::{ReadOptions, ServiceUrl};
    /// use std::time::{Duration, SystemTime};
    ///
    /// let now = SystemTime::UNIX_EPOCH + Duration::from_hours(476_268);
    /// let service = ServiceUrl::parse("https://app.example.org/app/")?;
    /// let stamp = SamlStamp::new(now, &mut |bytes| bytes.fill(7));
    /// let reply = SamlReply::new(&stamp, "https://cas.example.org/cas", service.as_str());
    /// let assertion = SamlAssertion::new("jdoe").with_method(SamlAssertion::PASSWORD).with_authenticated_at(now);
    /// let response = SamlResponse::Success(assertion);
    ///
    /// let xml = response.to_xml(&reply);
    /// let expectation = SamlExpectation::new(&service, now);
    /// assert_eq!(SamlResponse::parse(xml.as_bytes(), &expectation, &ReadOptions::default())?, response);
    ///
    /// let later = SamlExpectation::new(&service, now + Duration::from_secs(60));
    /// assert!(SamlResponse::parse(xml.as_bytes(), &later, &ReadOptions::default()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorClass::SamlConditions`] outside the period of validity, [`ErrorClass::SamlAudience`] for another
    /// service, [`ErrorClass::MissingUser`], [`ErrorClass::Ambiguous`], [`ErrorClass::UnexpectedStatus`], and the
    /// classes of every XML reader.
    pub fn parse(
        body: &[u8],
        expectation: &SamlExpectation<'_>,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        Envelope::parse(body, options)
            .and_then(|envelope| envelope.judge(expectation, options))
            .map_err(|error| options.blame(error))
    }
}

/// The SOAP envelope: one thing in one body.
#[derive(Default)]
struct Envelope {
    bodies: usize,
    outcomes: Vec<Outcome>,
}

enum Outcome {
    Response(Response),
    Fault(String),
}

#[derive(Default)]
struct Response {
    in_response_to: Option<String>,
    statuses: usize,
    codes: Vec<StatusCode>,
    message: Option<String>,
    assertions: Vec<Assertion>,
}

struct StatusCode {
    value: String,
    text: String,
}

#[derive(Default)]
struct Assertion {
    conditions: Vec<Conditions>,
    authentications: Vec<Statement>,
    attributions: Vec<Statement>,
    attributes: Vec<(String, Vec<String>)>,
}

#[derive(Default)]
struct Conditions {
    not_before: Option<String>,
    not_on_or_after: Option<String>,
    /// The audiences of each restriction.
    restrictions: Vec<Vec<String>>,
}

#[derive(Default)]
struct Statement {
    method: Option<String>,
    instant: Option<String>,
    subjects: usize,
    /// `None` for a name that holds elements.
    names: Vec<Option<String>>,
}

impl Envelope {
    fn parse(body: &[u8], options: &ReadOptions) -> Result<Self, ReadError> {
        let mut envelope = Self::default();
        soap::each_body(body, options, |reader| {
            envelope.bodies += 1;
            envelope.read_body(reader)
        })?;
        Ok(envelope)
    }

    fn read_body(&mut self, reader: &mut Reader<'_>) -> Result<(), ReadError> {
        while let Some(child) = reader.child()? {
            if child.is(Namespace::Saml1Protocol, "Response") {
                self.outcomes
                    .push(Outcome::Response(Response::read(reader)?));
            } else if child.is(Namespace::Soap, "Fault") {
                self.outcomes.push(Outcome::Fault(read_fault(reader)?));
            } else {
                reader.skip()?;
            }
        }
        Ok(())
    }

    fn judge(
        mut self,
        expectation: &SamlExpectation<'_>,
        options: &ReadOptions,
    ) -> Result<SamlResponse, ReadError> {
        if self.bodies > 1 || self.outcomes.len() > 1 {
            return Err(ambiguous("more than one SOAP body or content"));
        }
        let response = match self.outcomes.pop() {
            None => {
                return Err(ReadError::new(
                    ErrorClass::NotCas,
                    "neither a response nor a fault",
                ));
            }
            Some(Outcome::Fault(text)) => {
                return Ok(SamlResponse::Failure(Failure::read(
                    Some(SOAP_FAULT),
                    &text,
                )));
            }
            Some(Outcome::Response(response)) => response,
        };
        if let Some(failure) = response.failure()? {
            return Ok(SamlResponse::Failure(failure));
        }
        if !options.is_ok_status() {
            return Err(ReadError::new(ErrorClass::UnexpectedStatus, "a success"));
        }
        if expectation
            .in_response_to
            .is_some_and(|id| response.in_response_to.as_deref() != Some(id))
        {
            let what = "InResponseTo is not the id of the request";
            return Err(ReadError::new(ErrorClass::SamlConditions, what));
        }
        let mut assertions = response.assertions;
        match (assertions.pop(), assertions.len()) {
            (None, _) => Err(ReadError::malformed("a success without an assertion")),
            (Some(assertion), 0) => assertion
                .judge(expectation, options)
                .map(SamlResponse::Success),
            (Some(_), _) => Err(ambiguous("more than one assertion")),
        }
    }
}

impl Response {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let mut response = Self {
            in_response_to: attribute(reader, "InResponseTo"),
            ..Self::default()
        };
        while let Some(child) = reader.child()? {
            if child.is(Namespace::Saml1Protocol, "Status") {
                response.statuses += 1;
                response.read_status(reader)?;
            } else if child.is(Namespace::Saml1Assertion, "Assertion") {
                response.assertions.push(Assertion::read(reader)?);
            } else {
                reader.skip()?;
            }
        }
        Ok(response)
    }

    fn read_status(&mut self, reader: &mut Reader<'_>) -> Result<(), ReadError> {
        while let Some(child) = reader.child()? {
            if child.is(Namespace::Saml1Protocol, "StatusCode") {
                let value = attribute(reader, "Value").unwrap_or_default();
                // Status codes nested in this one only explain it (R-248).
                let text = reader.loose_text()?.into_owned();
                self.codes.push(StatusCode { value, text });
            } else if child.is(Namespace::Saml1Protocol, "StatusMessage") {
                let message = reader.loose_text()?.into_owned();
                self.message.get_or_insert(message);
            } else {
                reader.skip()?;
            }
        }
        Ok(())
    }

    /// The failure this is, unless it is a success (R-248).
    fn failure(&self) -> Result<Option<Failure>, ReadError> {
        let code = match self.codes.as_slice() {
            [code] if self.statuses == 1 => code,
            [] => return Err(ReadError::malformed("a response without a status")),
            _ => return Err(ambiguous("more than one status")),
        };
        let value = text::trim_xml(&code.value);
        let local = match value.split_once(':') {
            // An empty prefix is none: `:Success` is no name at all.
            Some((prefix, local)) if !prefix.is_empty() => local,
            _ => value,
        };
        if local == "Success" {
            return Ok(None);
        }
        let said = self.message.as_ref().filter(|message| !message.is_empty());
        Ok(Some(Failure::read(Some(local), said.unwrap_or(&code.text))))
    }
}

impl Assertion {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let mut assertion = Self::default();
        while let Some(child) = reader.child()? {
            match child.local {
                _ if child.namespace != Namespace::Saml1Assertion => reader.skip()?,
                "Conditions" => assertion.conditions.push(Conditions::read(reader)?),
                "AuthenticationStatement" => {
                    let statement = Statement::read(reader, &mut Vec::new())?;
                    assertion.authentications.push(statement);
                }
                "AttributeStatement" => {
                    let statement = Statement::read(reader, &mut assertion.attributes)?;
                    assertion.attributions.push(statement);
                }
                _ => reader.skip()?,
            }
        }
        Ok(assertion)
    }

    fn judge(
        self,
        expectation: &SamlExpectation<'_>,
        options: &ReadOptions,
    ) -> Result<SamlAssertion, ReadError> {
        let user = self.user(options)?;
        match self.conditions.as_slice() {
            [] | [_] if !expectation.judges_conditions => {}
            [] => {
                return Err(ReadError::new(
                    ErrorClass::SamlConditions,
                    "an assertion without Conditions",
                ));
            }
            [conditions] => conditions.judge(expectation)?,
            _ => return Err(ambiguous("more than one Conditions")),
        }
        let mut attributes = Attributes::default();
        for (name, values) in self.attributes {
            for value in values {
                attributes.push(name.as_str(), value);
            }
        }
        let mut assertion = SamlAssertion::new(user).with_attributes(attributes);
        if let Some(method) = self
            .authentications
            .iter()
            .find_map(|statement| statement.method.as_ref())
        {
            assertion = assertion.with_method(method);
        }
        let instant = self
            .authentications
            .iter()
            .find_map(|statement| statement.instant.as_deref());
        if let Some(instant) = instant.and_then(instant::parse) {
            assertion = assertion.with_authenticated_at(instant);
        }
        Ok(assertion)
    }

    /// The one user that all statements are about (R-250).
    fn user(&self, options: &ReadOptions) -> Result<String, ReadError> {
        let deciding = if self.authentications.is_empty() {
            &self.attributions
        } else {
            &self.authentications
        };
        let mut user = None;
        for statement in deciding.iter().chain(&self.attributions) {
            if statement.subjects > 1 || statement.names.len() > 1 {
                return Err(ambiguous("a statement with more than one subject or name"));
            }
        }
        for statement in deciding {
            let Some(name) = statement.name()? else {
                continue;
            };
            match &user {
                None => user = Some(name),
                Some(user) if *user == name => {}
                Some(_) => return Err(ambiguous("statements about different users")),
            }
        }
        let user =
            user.ok_or_else(|| ReadError::new(ErrorClass::MissingUser, "no NameIdentifier"))?;
        for statement in &self.attributions {
            if statement.name()?.is_some_and(|name| name != user) {
                return Err(ambiguous("statements about different users"));
            }
        }
        text::principal(user, options.limits_ref())
    }
}

impl Conditions {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let mut conditions = Self {
            not_before: attribute(reader, "NotBefore"),
            not_on_or_after: attribute(reader, "NotOnOrAfter"),
            restrictions: Vec::new(),
        };
        while let Some(child) = reader.child()? {
            if child.is(Namespace::Saml1Assertion, "AudienceRestrictionCondition") {
                conditions.restrictions.push(read_audiences(reader)?);
            } else {
                reader.skip()?;
            }
        }
        Ok(conditions)
    }

    fn judge(&self, expectation: &SamlExpectation<'_>) -> Result<(), ReadError> {
        let bound =
            |text: &Option<String>| text.as_deref().map(text::trim_xml).and_then(instant::parse);
        let (Some(not_before), Some(not_on_or_after)) =
            (bound(&self.not_before), bound(&self.not_on_or_after))
        else {
            let what = "Conditions without a readable NotBefore and NotOnOrAfter";
            return Err(ReadError::new(ErrorClass::SamlConditions, what));
        };
        if !expectation.holds_between(not_before, not_on_or_after) {
            return Err(ReadError::new(
                ErrorClass::SamlConditions,
                format!(
                    "valid from {} to {}, and it is {}",
                    instant::millis(not_before),
                    instant::millis(not_on_or_after),
                    instant::millis(expectation.now),
                ),
            ));
        }
        // Every restriction must be met, each by one of its audiences.
        let met = |audiences: &Vec<String>| audiences.iter().any(|url| expectation.is_for(url));
        if !self.restrictions.iter().all(met) {
            return Err(ReadError::new(
                ErrorClass::SamlAudience,
                "made for another service",
            ));
        }
        Ok(())
    }
}

impl Statement {
    /// Reads an `AuthenticationStatement` or `AttributeStatement`.
    fn read(
        reader: &mut Reader<'_>,
        attributes: &mut Vec<(String, Vec<String>)>,
    ) -> Result<Self, ReadError> {
        let mut statement = Self {
            method: attribute(reader, "AuthenticationMethod"),
            instant: attribute(reader, "AuthenticationInstant"),
            ..Self::default()
        };
        while let Some(child) = reader.child()? {
            if child.is(Namespace::Saml1Assertion, "Subject") {
                statement.subjects += 1;
                statement.read_subject(reader)?;
            } else if child.is(Namespace::Saml1Assertion, "Attribute") {
                let name = attribute(reader, "AttributeName").unwrap_or_default();
                let values = read_values(reader)?;
                if !name.is_empty() {
                    attributes.push((name, values));
                }
            } else {
                reader.skip()?;
            }
        }
        Ok(statement)
    }

    fn read_subject(&mut self, reader: &mut Reader<'_>) -> Result<(), ReadError> {
        while let Some(child) = reader.child()? {
            if child.is(Namespace::Saml1Assertion, "NameIdentifier") {
                self.names.push(name(reader)?);
            } else {
                reader.skip()?;
            }
        }
        Ok(())
    }

    /// The name in its subject; a blank one is none.
    fn name(&self) -> Result<Option<&str>, ReadError> {
        match self.names.first() {
            Some(None) => Err(ReadError::malformed("an element inside NameIdentifier")),
            Some(Some(name)) if !name.is_empty() => Ok(Some(name)),
            _ => Ok(None),
        }
    }
}

fn read_fault(reader: &mut Reader<'_>) -> Result<String, ReadError> {
    let mut text = None;
    while let Some(child) = reader.child()? {
        // SOAP 1.1 has it in no namespace; servers that qualify it mean the same.
        if child.local == "faultstring" && text.is_none() {
            text = Some(reader.loose_text()?.into_owned());
        } else {
            reader.skip()?;
        }
    }
    Ok(text.unwrap_or_default())
}

fn read_audiences(reader: &mut Reader<'_>) -> Result<Vec<String>, ReadError> {
    let mut audiences = Vec::new();
    while let Some(child) = reader.child()? {
        if child.is(Namespace::Saml1Assertion, "Audience") {
            audiences.push(reader.text("an Audience")?.into_owned());
        } else {
            reader.skip()?;
        }
    }
    Ok(audiences)
}

fn read_values(reader: &mut Reader<'_>) -> Result<Vec<String>, ReadError> {
    let mut values = Vec::new();
    while let Some(child) = reader.child()? {
        if child.is(Namespace::Saml1Assertion, "AttributeValue") {
            // A value with elements in it is skipped, as in R-154; a comment in one is an error (S-022).
            if let Value::Text(text) = reader.value("an AttributeValue")? {
                values.push(text.into_owned());
            }
        } else {
            reader.skip()?;
        }
    }
    Ok(values)
}

/// A name, across comments and processing instructions (R-152); `None` if there are elements in it.
fn name(reader: &mut Reader<'_>) -> Result<Option<String>, ReadError> {
    Ok(match reader.joined_value()? {
        Value::Text(text) => Some(text.into_owned()),
        Value::Nested => None,
    })
}

fn attribute(reader: &mut Reader<'_>, name: &str) -> Option<String> {
    reader.attribute(name).map(Cow::into_owned)
}

fn ambiguous(what: &str) -> ReadError {
    ReadError::new(ErrorClass::Ambiguous, what)
}

/// The code of a SOAP fault (R-256).
const SOAP_FAULT: &str = "SOAP_FAULT";
