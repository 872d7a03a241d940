//! Service definitions of Apereo as services of this registry (R-274 to R-298).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use casque_proto::apereo::{
    AttributeRule, Definition, FindingKind, Logout, ReleaseRule as Rule, Released, Rest,
    ServiceDefinition, ValuePattern,
};
use casque_proto::{LoginMethod, ServiceRule};

use super::access::{AccessRule, whole};
use super::folder::{entries, is_loopback, is_named};
use super::{LogoutType, Note, ProxyPolicy, Release, ReleaseRule, ResponseType, Service, UserName};
use crate::config::{ConfigError, ConfigErrors, Faults, quote, read_text};

/// A file with a service definition of Apereo.
#[derive(Debug)]
#[non_exhaustive]
pub struct ApereoFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds, or everything that keeps it from being used.
    pub read: Result<Definition, Vec<ConfigError>>,
}

impl ApereoFile {
    /// Advice on its name, which should end with the id (R-274).
    pub fn misnamed(&self) -> Option<String> {
        let Ok(Definition::Service(definition)) = &self.read else {
            return None;
        };
        let stem = self.path.file_stem()?.to_string_lossy();
        let good = stem.ends_with(&format!("-{}", definition.id));
        (!good).then(|| {
            format!(
                "the file should be called after its service, NAME-{}.json",
                definition.id
            )
        })
    }
}

/// Reads files, and all `.json` files of folders and the folders below them, in the order of their names. Of two with one
/// id neither is used (R-278).
///
/// # Errors
/// [`ConfigErrors`] where a folder cannot be read; what is wrong with a file is told with it.
///
/// ```
/// use casque_server::read_apereo_files;
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(
///     folder.path().join("wiki-1.json"),
///     r#"{ "serviceId": "https://wiki\\.example\\.org/.*", "name": "wiki", "id": 1 }"#,
/// )?;
/// let files = read_apereo_files(&[folder.path().to_owned()], &[])?;
/// assert!(files[0].read.is_ok() && files[0].misnamed().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_apereo_files(
    paths: &[PathBuf],
    ignored: &[&str],
) -> Result<Vec<ApereoFile>, ConfigErrors> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            search(path, DEEPEST, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    let mut files: Vec<ApereoFile> = found
        .into_iter()
        .map(|path| ApereoFile {
            read: read_file(&path, ignored),
            path,
        })
        .collect();
    refuse_twins(&mut files);
    Ok(files)
}

/// What the files of a folder come to.
pub(super) struct Read {
    /// In the order in which they are asked, each with its file (R-283).
    pub(super) services: Vec<(PathBuf, Service)>,
    pub(super) notes: Vec<Note>,
}

pub(super) fn read(
    folder: &Path,
    ignored: &[&str],
    faults: &mut Faults,
) -> Result<Read, ConfigErrors> {
    let mut definitions = Vec::new();
    let mut notes = Vec::new();
    for file in read_apereo_files(&[folder.to_owned()], ignored)? {
        let misnamed = file.misnamed();
        let path = file.path;
        let note = |is_warning, line: Option<usize>, words: &str| Note {
            is_warning,
            words: ConfigError::new(&path, line, words).to_string(),
        };
        notes.extend(misnamed.map(|words| note(true, None, &words)));
        match file.read {
            Ok(Definition::Service(definition)) => {
                for finding in &definition.findings {
                    let is_warning = finding.kind == FindingKind::Warning;
                    let words = format!("`{}`: {}", finding.member, finding.words);
                    notes.push(note(is_warning, finding.line, &words));
                }
                definitions.push((path, definition));
            }
            Ok(Definition::Other { class }) => {
                let words = format!("left out: a {class} is not a CAS service");
                notes.push(note(false, None, &words));
            }
            Ok(_) => {}
            Err(wrong) => wrong.into_iter().for_each(|fault| faults.push(fault)),
        }
    }
    definitions.sort_by(|(_, a), (_, b)| a.place().cmp(&b.place()));
    let services = definitions
        .into_iter()
        .map(|(path, definition)| (path, Service::of_apereo(&definition)))
        .collect();
    Ok(Read { services, notes })
}

impl Service {
    /// The service of a definition: nothing that it restricts is left out, what it allows is not widened.
    pub fn of_apereo(definition: &ServiceDefinition) -> Self {
        let mut service = Self::new(
            apereo_service_id(definition),
            ServiceRule::apereo(definition.pattern.clone()),
        );
        service.name = Some(definition.name.clone());
        service.description.clone_from(&definition.description);
        service.enabled = definition.enabled;
        service.expires = definition.expires;
        service.order = definition.order;
        service.sso = definition.sso;
        service.consent = definition.consent;
        service.access = access(definition);
        service.refused_url.clone_from(&definition.refused_url);
        service.attributes = release(&definition.release);
        service.username = UserName {
            attribute: definition.username.attribute.clone(),
            case: definition.username.case,
        };
        if let Some(callbacks) = &definition.proxy {
            service.proxy = ProxyPolicy::to([ServiceRule::apereo(callbacks.clone())]);
        }
        service.logout_type = match definition.logout {
            Logout::FrontChannel => LogoutType::FrontChannel,
            Logout::None => LogoutType::None,
            _ => LogoutType::BackChannel,
        };
        service.logout_url.clone_from(&definition.logout_url);
        service.response_type = match definition.response {
            LoginMethod::Post => ResponseType::Post,
            LoginMethod::Header => ResponseType::Header,
            _ => ResponseType::Redirect,
        };
        if let Some(shape) = definition.pattern.shape() {
            let origin = url::Url::parse(&shape.origin()).ok();
            service.plain_http = shape.http && !origin.as_ref().is_some_and(is_loopback);
            let only_this_host = !shape.loose_host && shape.rest != Rest::AfterHost;
            service.host = only_this_host.then_some(shape.host);
        }
        service
    }
}

/// What names the service of a definition in logs, and a file of its own: its name in plain letters, and its id.
pub fn apereo_service_id(definition: &ServiceDefinition) -> String {
    let mut plain = String::new();
    for c in definition.name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' || c == '.' {
            plain.push(c.to_ascii_lowercase());
        } else if !plain.ends_with('-') && !plain.is_empty() {
            plain.push('-');
        }
    }
    plain.truncate(40);
    let plain = plain.trim_matches(['-', '.']);
    let name = if plain.is_empty() { "service" } else { plain };
    format!("{name}-{}", definition.id)
}

fn access(definition: &ServiceDefinition) -> AccessRule {
    const WHY: &str = "it was compiled when it was read";
    let policy = &definition.access;
    let mut access = AccessRule::default().any(!policy.require_all);
    for (rule, pattern) in each(&policy.required) {
        access = access.pattern(&rule.attribute, pattern).expect(WHY);
    }
    for (rule, pattern) in each(&policy.rejected) {
        let anywhere = format!("(?s:.*)(?:{pattern})(?s:.*)");
        access = access
            .reject_pattern(&rule.attribute, &anywhere)
            .expect(WHY);
    }
    access
}

/// Each rule with each of its patterns; one without any is met by nobody.
fn each(rules: &[AttributeRule]) -> impl Iterator<Item = (&AttributeRule, &str)> {
    rules.iter().flat_map(|rule| {
        let patterns = rule.values.iter().map(ValuePattern::regex);
        let nobody = rule.values.is_empty().then_some(r"[^\s\S]");
        patterns.chain(nobody).map(move |pattern| (rule, pattern))
    })
}

fn release(rules: &[Rule]) -> Release {
    let plain: Option<Vec<String>> = rules
        .iter()
        .map(|rule| match &rule.released {
            Released::One { attribute, name } if attribute == name && rule.values.is_none() => {
                Some(name.clone())
            }
            _ => None,
        })
        .collect();
    if let Some(names) = plain {
        return Release::Named(names);
    }
    let rules = rules.iter().filter_map(|rule| {
        let told = match &rule.released {
            Released::AllBut(names) => ReleaseRule::all_but(names.iter().cloned()),
            Released::One { attribute, name } => ReleaseRule::renamed(attribute, name),
            // Nothing else is known; what is not known is not told.
            _ => return None,
        };
        Some(match &rule.values {
            Some(values) => {
                told.only(whole(values.regex()).expect("it was compiled when it was read"))
            }
            None => told,
        })
    });
    Release::Rules(rules.collect())
}

/// The `.json` files of a folder and those below it. Links to folders are not followed: they may lead round.
fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
    for path in entries(folder)? {
        let is_folder = path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir());
        if is_folder && depth > 0 {
            search(&path, depth - 1, found)?;
        } else if !is_folder && is_named(&path, "json") {
            found.push(path);
        }
    }
    Ok(())
}

fn read_file(path: &Path, ignored: &[&str]) -> Result<Definition, Vec<ConfigError>> {
    let text = read_text(path).map_err(|fault| vec![fault])?;
    ServiceDefinition::read(&text, ignored).map_err(|faults| {
        faults
            .iter()
            .map(|fault| ConfigError::new(path, fault.line, &*fault.problem).fix(&*fault.fix))
            .collect()
    })
}

/// R-278
fn refuse_twins(files: &mut [ApereoFile]) {
    let mut by_id: HashMap<u64, Vec<usize>> = HashMap::new();
    for (place, file) in files.iter().enumerate() {
        if let Ok(Definition::Service(definition)) = &file.read {
            by_id.entry(definition.id).or_default().push(place);
        }
    }
    for (id, places) in by_id.into_iter().filter(|(_, places)| places.len() > 1) {
        let names: Vec<String> = places
            .iter()
            .map(|place| quote(&files[*place].path.display().to_string()))
            .collect();
        for place in places {
            let fault = ConfigError::new(
                &files[place].path,
                None,
                format!("the id {id} is in several files: {}", names.join(", ")),
            )
            .fix("give each service an id of its own, or drop all but one of them");
            files[place].read = Err(vec![fault]);
        }
    }
}

/// How many folders lie within each other at most.
const DEEPEST: usize = 16;

#[cfg(test)]
mod tests;
