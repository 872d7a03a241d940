//! `casque service import`: what service definitions of Apereo come to, and files of casque's own for them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use casque_proto::apereo::{Definition, FindingKind, IGNORABLE};
use casque_server::{ApereoFile, Services, read_apereo_files};
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::draft::{Draft, Reach, draft};
use super::write::write_all;
use crate::say::{self, Failure, WRONG};

/// Say what service definitions of an Apereo CAS server come to, file by file.
///
/// The server reads such a folder as it is. With --to, the definitions are written as files of casque's own, one for
/// each, in which they can be kept from then on; nowhere is one laxer than it was. The exit status is 0 if all
/// definitions are understood, 1 if one is refused, 2 if the command itself is wrong, and 3 if a file cannot be written.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A folder, read with those below it, or a file. Can be given several times.
    #[arg(required = true, value_name = "DIR|FILE")]
    from: Vec<PathBuf>,

    /// Write the definitions as files of casque's own into this folder: all of them, or none if one is refused.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,

    /// With --to: write the others where one is refused. Addresses of a service that is left out may be let in by another.
    #[arg(long, requires = "to")]
    skip_refused: bool,

    /// With --to: replace files that are there already.
    #[arg(long, requires = "to")]
    force: bool,

    /// Leave aside what a definition restricts by a member of this name. Can be given several times.
    #[arg(long, value_name = "MEMBER", value_parser = PossibleValuesParser::new(IGNORABLE))]
    ignore: Vec<String>,

    /// As one JSON list, an object for each file.
    #[arg(long)]
    json: bool,
}

/// What is said about a file.
struct Report {
    file: String,
    /// What it defines.
    service: Option<(u64, String)>,
    /// Its class, where it is not a CAS service.
    other: Option<String>,
    findings: Vec<Told>,
    faults: Vec<Told>,
    draft: Option<Draft>,
    written: Option<String>,
}

/// One thing about a file.
struct Told {
    kind: &'static str,
    member: String,
    line: Option<usize>,
    words: String,
    fix: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(missing) = arguments.from.iter().find(|path| !path.exists()) {
        return Err(Failure {
            words: format!("{}: there is no such file or folder", missing.display()),
            status: MISUSE,
        });
    }
    let ignored: Vec<&str> = arguments.ignore.iter().map(String::as_str).collect();
    let files = read_apereo_files(&arguments.from, &ignored)
        .map_err(|faults| Failure::wrong(faults.to_string()))?;
    let mut reports: Vec<Report> = files.iter().map(Report::of).collect();
    if let Some(folder) = &arguments.to {
        make_drafts(&files, &mut reports);
        check_targets(&mut reports, folder, arguments.force);
        let refused = reports.iter().any(Report::is_refused);
        if !refused || arguments.skip_refused {
            write(&mut reports, folder, arguments.force)?;
        }
    }
    if arguments.json {
        let list: Vec<Value> = reports.iter().map(Report::as_json).collect();
        say::line(json!(list));
    } else {
        for report in &reports {
            say::line(report.in_words());
        }
        say::line(summary(&reports, arguments));
    }
    let refused = reports.iter().any(Report::is_refused);
    Ok(ExitCode::from(if refused { WRONG } else { 0 }))
}

/// Drafts of all definitions, which know of each other.
fn make_drafts(files: &[ApereoFile], reports: &mut [Report]) {
    let mut reaches: Vec<(usize, Reach<'_>)> = files
        .iter()
        .enumerate()
        .filter_map(|(at, file)| match &file.read {
            Ok(Definition::Service(definition)) => Some((at, Reach::of(definition))),
            _ => None,
        })
        .collect();
    reaches.sort_by(|(_, a), (_, b)| a.definition.place().cmp(&b.definition.place()));
    for (place, (at, reach)) in reaches.iter().enumerate() {
        let shared = reaches
            .iter()
            .any(|(other, with)| other != at && reach.meets(with));
        let report = &mut reports[*at];
        match draft(reach.definition, shared.then_some(place + 1)) {
            Ok(drafted) => {
                for (member, words) in &drafted.approximated {
                    report.findings.push(Told {
                        kind: FindingKind::Approximated.as_str(),
                        member: member.clone(),
                        line: None,
                        words: words.clone(),
                        fix: None,
                    });
                }
                report.draft = Some(drafted);
            }
            Err(untold) => {
                let told = untold.into_iter().map(|untold| Told {
                    kind: "refused",
                    member: untold.member,
                    line: None,
                    words: untold.problem,
                    fix: Some(untold.fix),
                });
                report.faults.extend(told);
            }
        }
    }
}

/// Nothing that is there is replaced unless that was said.
fn check_targets(reports: &mut [Report], folder: &std::path::Path, force: bool) {
    for report in reports {
        let Some(draft) = &report.draft else { continue };
        let path = folder.join(format!("{}.toml", draft.id));
        if !force && path.symlink_metadata().is_ok() {
            report.faults.push(Told {
                kind: "refused",
                member: String::new(),
                line: None,
                words: format!("{} is there already", path.display()),
                fix: Some("move it away, or say --force to replace it".to_owned()),
            });
        }
    }
}

fn write(reports: &mut [Report], folder: &std::path::Path, force: bool) -> Result<(), Failure> {
    let mut chosen = Vec::new();
    for (at, report) in reports.iter().enumerate() {
        if let Some(draft) = report.draft.as_ref().filter(|_| !report.is_refused()) {
            chosen.push((at, format!("{}.toml", draft.id), draft.text.as_str()));
        }
    }
    let files: Vec<(String, &str)> = chosen
        .iter()
        .map(|(_, name, text)| (name.clone(), *text))
        .collect();
    check(&files)?;
    let written = write_all(folder, &files, force).map_err(|(path, error)| {
        Failure::failed(format_args!("{} cannot be written", path.display()), &error)
    })?;
    let places: Vec<usize> = chosen.iter().map(|(at, ..)| *at).collect();
    for (at, path) in places.into_iter().zip(written) {
        reports[at].written = Some(path.display().to_string());
    }
    Ok(())
}

/// The server must be able to read what is written.
fn check(files: &[(String, &str)]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed("a temporary folder", &error);
    let folder = tempfile::tempdir().map_err(failed)?;
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).map_err(failed)?;
    }
    Services::load(folder.path()).map_err(|faults| {
        Failure::wrong(format!(
            "nothing was written, for the server could not read it:\n{faults}"
        ))
    })?;
    Ok(())
}

impl Report {
    fn of(file: &ApereoFile) -> Self {
        let mut report = Self {
            file: file.path.display().to_string(),
            service: None,
            other: None,
            findings: Vec::new(),
            faults: Vec::new(),
            draft: None,
            written: None,
        };
        match &file.read {
            Ok(Definition::Service(definition)) => {
                report.service = Some((definition.id, definition.name.clone()));
                let misnamed = file.misnamed().map(|words| Told {
                    kind: FindingKind::Warning.as_str(),
                    member: String::new(),
                    line: None,
                    words,
                    fix: None,
                });
                let found = definition.findings.iter().map(|finding| Told {
                    kind: finding.kind.as_str(),
                    member: finding.member.clone(),
                    line: finding.line,
                    words: finding.words.clone(),
                    fix: None,
                });
                report.findings = misnamed.into_iter().chain(found).collect();
            }
            Ok(Definition::Other { class }) => report.other = Some(class.clone()),
            Ok(_) => report.other = Some("unknown".to_owned()),
            Err(faults) => {
                let told = faults.iter().map(|fault| Told {
                    kind: "refused",
                    member: String::new(),
                    line: fault.line(),
                    words: fault.problem().to_owned(),
                    fix: fault.suggestion().map(str::to_owned),
                });
                report.faults = told.collect();
            }
        }
        report
    }

    fn is_refused(&self) -> bool {
        !self.faults.is_empty()
    }

    /// `refused`, `skipped`, `approximated` or `understood`.
    fn result(&self) -> &'static str {
        let approximated = FindingKind::Approximated.as_str();
        if self.is_refused() {
            "refused"
        } else if self.other.is_some() {
            "skipped"
        } else if self.findings.iter().any(|told| told.kind == approximated) {
            "approximated"
        } else {
            "understood"
        }
    }

    fn as_json(&self) -> Value {
        let told = |told: &Told| {
            json!({
                "kind": told.kind,
                "member": told.member,
                "line": told.line,
                "words": told.words,
                "fix": told.fix,
            })
        };
        json!({
            "file": self.file,
            "result": self.result(),
            "id": self.service.as_ref().map(|(id, _)| id),
            "name": self.service.as_ref().map(|(_, name)| name),
            "class": self.other,
            "findings": self.findings.iter().map(told).collect::<Vec<_>>(),
            "faults": self.faults.iter().map(told).collect::<Vec<_>>(),
            "written": self.written,
        })
    }

    fn in_words(&self) -> String {
        let mut words = format!("{}: {}", say::plain(&self.file), self.result());
        if let Some(class) = &self.other {
            let _ = write!(words, ", a {} is not a CAS service", say::plain(class));
        }
        if let Some(path) = &self.written {
            let _ = write!(words, ", written to {}", say::plain(path));
        }
        for told in self.findings.iter().chain(&self.faults) {
            let _ = write!(words, "\n  {}: ", told.kind);
            if let Some(line) = told.line {
                let _ = write!(words, "line {line}: ");
            }
            if !told.member.is_empty() {
                let _ = write!(words, "`{}`: ", say::plain(&told.member));
            }
            words.push_str(&say::plain(&told.words));
            if let Some(fix) = &told.fix {
                let _ = write!(words, "\n    fix: {}", say::plain(fix));
            }
        }
        words
    }
}

fn summary(reports: &[Report], arguments: &Arguments) -> String {
    let count = |result: &str| {
        reports
            .iter()
            .filter(|report| report.result() == result)
            .count()
    };
    let mut words = format!(
        "{} understood, {} approximated, {} refused, {} of other protocols.",
        count("understood"),
        count("approximated"),
        count("refused"),
        count("skipped")
    );
    let Some(folder) = &arguments.to else {
        return words;
    };
    let written = reports
        .iter()
        .filter(|report| report.written.is_some())
        .count();
    if written == 0 {
        words.push_str(" Nothing was written.");
    } else {
        let files = if written == 1 { "file" } else { "files" };
        let _ = write!(words, " {written} {files} written to {}.", folder.display());
        let inside = |path: &PathBuf| match (path.canonicalize(), folder.canonicalize()) {
            (Ok(path), Ok(folder)) => path.starts_with(folder),
            _ => false,
        };
        if arguments.from.iter().any(inside) {
            words.push_str(" Move the .json files out of that folder: the server reads both.");
        }
    }
    words
}

/// The command itself is wrong.
const MISUSE: u8 = 2;
