//! A service definition of Apereo as a file of casque's own, nowhere laxer.

use std::collections::BTreeMap;

use casque_proto::apereo::{
    AttributeRule, Logout, Released, Rest, ServiceDefinition, Shape, UsernameCase,
};
use casque_proto::{LoginMethod, ServiceRule};
use casque_server::apereo_service_id;
use jiff::Timestamp;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

/// What became of a definition.
#[derive(Debug)]
pub(super) struct Draft {
    /// The name of the file, and of the service.
    pub(super) id: String,
    pub(super) text: String,
    /// What means a little less than it did: the member, and how.
    pub(super) approximated: Vec<(String, String)>,
}

/// What casque's own files cannot say.
#[derive(Debug)]
pub(super) struct Untold {
    pub(super) member: String,
    pub(super) problem: String,
    pub(super) fix: String,
}

/// Drafts a file. `place` is where the definition stands among others that let in the same addresses.
pub(super) fn draft(
    definition: &ServiceDefinition,
    place: Option<usize>,
) -> Result<Draft, Vec<Untold>> {
    let mut writer = Writer {
        document: DocumentMut::new(),
        approximated: Vec::new(),
        untold: Vec::new(),
    };
    let id = apereo_service_id(definition);
    writer.set("id", &id);
    writer.set("name", &definition.name);
    if let Some(description) = &definition.description {
        writer.set("description", description);
    }
    let http = writer.rule(definition, place.is_some());
    if let Some(place) = place {
        writer.set("order", i64::try_from(place).unwrap_or(i64::MAX));
    }
    writer.switches(definition);
    writer.release(definition);
    writer.access(definition);
    writer.addresses(definition, http);
    writer.proxy(definition);
    if writer.untold.is_empty() {
        Ok(Draft {
            id,
            text: writer.document.to_string(),
            approximated: writer.approximated,
        })
    } else {
        Err(writer.untold)
    }
}

/// A definition with addresses that it lets in.
pub(super) struct Reach<'a> {
    pub(super) definition: &'a ServiceDefinition,
    /// None where they cannot be read from its pattern.
    samples: Option<Vec<String>>,
}

impl<'a> Reach<'a> {
    pub(super) fn of(definition: &'a ServiceDefinition) -> Self {
        let shape = definition.pattern.shape();
        Self {
            definition,
            samples: shape.map(|shape| samples(&shape)),
        }
    }

    /// Whether some address may be let in by both, so that their order matters.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let into = |from: &Self, to: &Self| match &from.samples {
            Some(samples) => samples
                .iter()
                .any(|address| to.definition.pattern.matches(address)),
            // What it lets in is not known, so it may be anything.
            None => to.samples.is_none(),
        };
        into(self, other) || into(other, self)
    }
}

fn samples(shape: &Shape) -> Vec<String> {
    let origin = shape.origin();
    let at = format!("{origin}{}", shape.path);
    match shape.rest {
        Rest::Nothing => vec![at],
        _ => vec![format!("{at}/x"), format!("{at}x"), at],
    }
}

struct Writer {
    document: DocumentMut,
    approximated: Vec<(String, String)>,
    untold: Vec<Untold>,
}

impl Writer {
    fn set(&mut self, key: &str, what: impl Into<Value>) {
        self.document[key] = value(what);
    }

    fn approximate(&mut self, member: &str, words: impl Into<String>) {
        self.approximated.push((member.to_owned(), words.into()));
    }

    fn refuse(&mut self, member: &str, problem: impl Into<String>, fix: &str) {
        self.untold.push(Untold {
            member: member.to_owned(),
            problem: problem.into(),
            fix: fix.to_owned(),
        });
    }

    /// The addresses; says whether plain http is among them.
    fn rule(&mut self, definition: &ServiceDefinition, shared: bool) -> bool {
        const AT: &str = "serviceId";
        const FIX: &str = "write the host out in serviceId, with \\\\. for its dots and / after it; or leave the .json \
                           file to the server, which reads it as it is";
        let pattern = &definition.pattern;
        let Some(shape) = pattern.shape() else {
            let Some(regex) = pattern.whole_regex() else {
                self.refuse(AT, "it matches every address that holds it somewhere", FIX);
                return false;
            };
            let (source, host) = (pattern.as_str(), pattern.host());
            let query = ends_open(source);
            if !query && source.contains(".*") {
                self.approximate(AT, "no address with a query is let in");
            }
            return self.regex(regex, host.as_deref(), query, FIX);
        };
        if shape.loose_host {
            self.approximate(AT, format!("the dots of {} are dots", shape.host));
        }
        if shape.rest == Rest::AfterHost {
            let words = format!(
                "the host ends where it ends: {} and what is below it",
                shape.origin()
            );
            self.approximate(AT, words);
        }
        let path = match shape.rest {
            Rest::Tree => {
                self.approximate(
                    AT,
                    format!("what is below {}/, and not {0} itself", shape.path),
                );
                format!("{}/", shape.path)
            }
            _ => shape.path.clone(),
        };
        // Where another service would let in what this one does not, not even the case of letters may be lost.
        if shared && pattern.whole_regex().is_some() {
            let regex = regex_of(&shape, &path);
            let query = shape.rest != Rest::Nothing;
            return self.regex(&regex, Some(&shape.host), query, FIX);
        }
        if shape.rest == Rest::Nothing {
            self.set("url", format!("{}{path}", shape.origin()));
            self.set("query", false);
        } else {
            self.set("origin", shape.origin());
            if path != "/" {
                self.set("path_prefix", &path);
            }
        }
        if shape.rest == Rest::Anything {
            let words =
                format!("{path} and what is below it, and no name that only begins like it");
            self.approximate(AT, words);
        }
        if shape.http {
            self.set("allow_http", true);
        }
        self.check(definition, FIX);
        shape.http
    }

    fn regex(&mut self, regex: &str, host: Option<&str>, query: bool, fix: &str) -> bool {
        let allowing =
            |http| ServiceRule::regex(regex).and_then(|rule| rule.allow_http(http).checked());
        let http = match (allowing(false), allowing(true)) {
            (Ok(_), _) => false,
            (Err(_), Ok(_)) => true,
            (_, Err(error)) => {
                // With the host that is meant, the words say more.
                let meant = host.map(|host| ServiceRule::regex_for_host(regex, host));
                let error = meant.and_then(Result::err).unwrap_or(error);
                self.refuse("serviceId", error.rule(), fix);
                return false;
            }
        };
        self.set("regex", regex);
        if http {
            self.set("allow_http", true);
        }
        if !query {
            self.set("query", false);
        }
        http
    }

    /// What the file says must be a rule.
    fn check(&mut self, definition: &ServiceDefinition, fix: &str) {
        let text = |key: &str| {
            self.document
                .get(key)
                .and_then(Item::as_str)
                .map(str::to_owned)
        };
        let rule = match (text("origin"), text("path_prefix"), text("url")) {
            (Some(origin), Some(prefix), _) => {
                ServiceRule::origin(&origin).and_then(|rule| rule.path_prefix(&prefix))
            }
            (Some(origin), None, _) => ServiceRule::origin(&origin),
            (None, _, url) => {
                ServiceRule::url(url.as_deref().unwrap_or(definition.pattern.as_str()))
            }
        };
        if let Err(error) = rule {
            self.refuse("serviceId", error.rule(), fix);
        }
    }

    fn switches(&mut self, definition: &ServiceDefinition) {
        if !definition.enabled {
            self.set("enabled", false);
        }
        if let Some(moment) = definition.expires {
            match Timestamp::try_from(moment) {
                Ok(moment) => self.set("expires", moment.to_string()),
                Err(_) => self.refuse(
                    "expirationPolicy",
                    "the date is out of range",
                    "write another",
                ),
            }
        }
        if !definition.sso {
            self.set("sso", false);
        }
        if definition.consent {
            self.set("consent", true);
        }
        if let Some(attribute) = &definition.username.attribute {
            self.set("user_attribute", attribute);
        }
        match definition.username.case {
            UsernameCase::Upper => self.set("user_case", "upper"),
            UsernameCase::Lower => self.set("user_case", "lower"),
            _ => {}
        }
        match definition.response {
            LoginMethod::Post => self.set("response_type", "post"),
            LoginMethod::Header => self.set("response_type", "header"),
            _ => {}
        }
        match definition.logout {
            Logout::FrontChannel => self.set("logout_type", "front_channel"),
            Logout::None => self.set("logout_type", "none"),
            _ => {}
        }
    }

    fn release(&mut self, definition: &ServiceDefinition) {
        const AT: &str = "attributeReleasePolicy";
        const FIX: &str = "leave the .json file to the server, which reads it as it is";
        let mut kept = Array::new();
        let mut all = false;
        let mut renamed: BTreeMap<&str, Array> = BTreeMap::new();
        let mut told: Vec<&str> = Vec::new();
        for rule in &definition.release {
            if rule.values.is_some() {
                self.refuse(AT, "casque's own files have no attributeFilter", FIX);
                return;
            }
            match &rule.released {
                Released::AllBut(names) if names.is_empty() && definition.release.len() == 1 => {
                    all = true;
                }
                Released::One { attribute, name } if !told.contains(&name.as_str()) => {
                    told.push(name);
                    if attribute == name {
                        kept.push(name);
                    } else {
                        renamed.entry(attribute).or_default().push(name);
                    }
                }
                Released::One { name, .. } => {
                    let problem =
                        format!("casque's own files cannot give {name} from two attributes");
                    self.refuse(AT, problem, FIX);
                    return;
                }
                _ => {
                    self.refuse(
                        AT,
                        "casque's own files tell all attributes, or name them",
                        FIX,
                    );
                    return;
                }
            }
        }
        if all {
            self.set("attributes", "all");
        } else if !kept.is_empty() {
            self.set("attributes", kept);
        }
        if !renamed.is_empty() {
            self.set("rename", renamed.into_iter().collect::<InlineTable>());
        }
    }

    fn access(&mut self, definition: &ServiceDefinition) {
        let access = &definition.access;
        let mut require = InlineTable::new();
        let mut require_regex = InlineTable::new();
        for rule in &access.required {
            if rule.values.is_empty() {
                let problem = format!("nobody can satisfy {}: no value is listed", rule.attribute);
                self.refuse(
                    "accessStrategy.requiredAttributes",
                    problem,
                    "list the values",
                );
                return;
            }
            let plain: Option<Array> = rule
                .values
                .iter()
                .map(|value| plain(value.as_str(), value.regex()))
                .collect();
            match plain {
                Some(values) => require.insert(&rule.attribute, values.into()),
                None => {
                    require_regex.insert(&rule.attribute, regexes(rule, ToOwned::to_owned).into())
                }
            };
        }
        if !require.is_empty() {
            self.set("require", require);
        }
        if !require_regex.is_empty() {
            self.set("require_regex", require_regex);
        }
        if !access.require_all && access.required.len() > 1 {
            self.set("require_any", true);
        }
        let mut reject = InlineTable::new();
        for rule in access
            .rejected
            .iter()
            .filter(|rule| !rule.values.is_empty())
        {
            // Apereo refuses who has a value in which it occurs.
            let anywhere = regexes(rule, |regex| format!("(?s:.*)(?:{regex})(?s:.*)"));
            reject.insert(&rule.attribute, anywhere.into());
        }
        if !reject.is_empty() {
            self.set("reject_regex", reject);
        }
    }

    fn addresses(&mut self, definition: &ServiceDefinition, http: bool) {
        for (key, member, url) in [
            (
                "refused_url",
                "accessStrategy.unauthorizedRedirectUrl",
                &definition.refused_url,
            ),
            ("logout_url", "logoutUrl", &definition.logout_url),
        ] {
            let Some(url) = url else { continue };
            if !http && !url.starts_with("https:") {
                self.refuse(
                    member,
                    format!("{url} is not https"),
                    "write an https address",
                );
            }
            self.set(key, url);
        }
    }

    fn proxy(&mut self, definition: &ServiceDefinition) {
        const AT: &str = "proxyPolicy.pattern";
        const FIX: &str = "write the address of the callback out, such as \"^https://app\\\\.example\\\\.org/pgt\"; or \
                           leave the .json file to the server, which reads it as it is";
        let Some(pattern) = &definition.proxy else {
            return;
        };
        let Some(shape) = pattern.shape() else {
            self.refuse(
                AT,
                "casque's own files name callbacks by their address",
                FIX,
            );
            return;
        };
        if !shape.https {
            self.approximate(AT, "callbacks are called by https only, so there is none");
            return;
        }
        let origin = shape.origin();
        let callback = match shape.rest {
            Rest::AfterHost => origin,
            Rest::Below if shape.path == "/" => origin,
            Rest::Tree => format!("{origin}{}/", shape.path),
            _ => format!("{origin}{}", shape.path),
        };
        if shape.loose_host || matches!(shape.rest, Rest::AfterHost | Rest::Tree | Rest::Anything) {
            self.approximate(
                AT,
                format!("callbacks at {callback}, and none that only look like it"),
            );
        }
        // A path that ends in a slash would stand for all that is below it.
        if shape.rest == Rest::Nothing && callback.ends_with('/') {
            self.refuse(
                AT,
                "casque's own files have no callback that ends in a slash",
                FIX,
            );
            return;
        }
        let mut proxy = Table::new();
        proxy["callbacks"] = value(Array::from_iter([callback]));
        if shape.rest == Rest::Nothing {
            proxy["query"] = value(false);
        }
        self.document["proxy"] = Item::Table(proxy);
    }
}

/// An expression for what a shape means, in any case.
fn regex_of(shape: &Shape, path: &str) -> String {
    let scheme = match (shape.https, shape.http) {
        (true, true) => "https?",
        (true, false) => "https",
        _ => "http",
    };
    let host = shape.host.replace('.', "\\.");
    let port = shape.port.map_or(String::new(), |port| format!(":{port}"));
    let path = path.replace('.', "\\.");
    let rest = match shape.rest {
        Rest::Nothing => "",
        _ => ".*",
    };
    format!("(?i){scheme}://{host}{port}{path}{rest}")
}

/// Whether an expression that matches an address matches it with a query as well.
fn ends_open(source: &str) -> bool {
    let source = source.strip_suffix('$').unwrap_or(source);
    source.ends_with(".*") && !source.ends_with("\\.*") && !source.contains('|')
}

/// A value that is no expression, as it is.
fn plain(source: &str, regex: &str) -> Option<String> {
    let plain = source == regex
        && source
            .chars()
            .all(|c| c.is_alphanumeric() || " -_,=@:/".contains(c));
    plain.then(|| source.to_owned())
}

fn regexes(rule: &AttributeRule, write: impl Fn(&str) -> String) -> Array {
    rule.values
        .iter()
        .map(|values| write(values.regex()))
        .collect()
}
