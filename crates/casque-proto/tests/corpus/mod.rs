//! The corpora the tests of this crate run over: the project's own vectors, and the shared ones where they are there.
//!
//! The shared folder is the one `CASQUE_SHARED` names, or `shared` beside the project's folder. Without it the rows
//! are skipped with a word on standard error, or, where `CI` is set, the test fails.

// Every test binary compiles this module for itself and uses a part of it.
#![allow(
    dead_code,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "shared by several test binaries"
)]

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

/// One protocol vector: `vectors/index.json`.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    pub(crate) name: String,
    /// The bytes of the file it names.
    pub(crate) bytes: Vec<u8>,
    pub(crate) input: Value,
    pub(crate) expect: Value,
    /// The name of a tolerance, and what is expected once it is switched on.
    pub(crate) with_tolerance: Option<(String, Value)>,
}

impl Vector {
    /// The rows of a vector that is a table: the member `cases` of its file.
    pub(crate) fn cases(&self) -> Vec<Value> {
        let table: Value = serde_json::from_slice(&self.bytes).expect("a table is JSON");
        table["cases"]
            .as_array()
            .expect("a table has cases")
            .clone()
    }

    /// A member of the input as text, or "" if it is not there.
    pub(crate) fn input_str(&self, name: &str) -> &str {
        self.input[name].as_str().unwrap_or_default()
    }

    /// The HTTP status of the input; 200 if none is given.
    pub(crate) fn status(&self) -> u16 {
        let status = self.input["http_status"].as_u64().unwrap_or(200);
        u16::try_from(status).expect("a status fits in 16 bits")
    }
}

/// One hostile or benign row: `hostile/index.json`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) input: Value,
    pub(crate) expected: Value,
    pub(crate) note: String,
    /// Benign: it must succeed.
    pub(crate) control: bool,
    /// What the input names as a file or a generator, if it does.
    pub(crate) bytes: Option<Vec<u8>>,
}

impl Row {
    /// A member of the input as text, or "" if it is not there.
    pub(crate) fn input_str(&self, name: &str) -> &str {
        self.input[name].as_str().unwrap_or_default()
    }

    /// The document of this row: the named file, the generated text, or the member `body`.
    pub(crate) fn document(&self) -> Vec<u8> {
        let body = || {
            self.input["body"]
                .as_str()
                .expect("a row has a document")
                .as_bytes()
                .to_vec()
        };
        self.bytes.clone().unwrap_or_else(body)
    }
}

/// Every vector of `kind`: the crate's own and the shared ones.
pub(crate) fn vectors(kind: &str) -> Vec<Vector> {
    let mut vectors = own_vectors(kind);
    if let Some(shared) = shared("vectors") {
        vectors.extend(read_vectors(&shared, kind));
    }
    vectors
}

/// Every vector of `kind` in `tests/vectors/*/index.json`.
pub(crate) fn own_vectors(kind: &str) -> Vec<Vector> {
    // The command line's tests read the same vectors.
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../casque-proto/tests/vectors");
    let mut folders: Vec<PathBuf> = fs::read_dir(own)
        .expect("the crate has vectors")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.join("index.json").is_file())
        .collect();
    folders.sort();
    folders
        .iter()
        .flat_map(|folder| read_vectors(folder, kind))
        .collect()
}

/// Every shared row for `target`.
pub(crate) fn hostile(target: &str) -> Vec<Row> {
    let Some(folder) = shared("hostile") else {
        return Vec::new();
    };
    let index = read_json(&folder.join("index.json"));
    entries(&index, "entries")
        .iter()
        .filter(|entry| entry["target"] == target)
        .map(|entry| {
            let input = entry["input"].clone();
            let bytes = match (&input["file"], &input["generator"]) {
                (Value::String(file), _) => Some(read(&folder.join(file))),
                (_, generator @ Value::Object(_)) => Some(generate(generator).into_bytes()),
                _ => None,
            };
            Row {
                id: text(entry, "id"),
                expected: entry["expected"].clone(),
                note: entry["note"].as_str().unwrap_or_default().to_owned(),
                control: entry["control"] == true,
                input,
                bytes,
            }
        })
        .collect()
}

/// The fixtures of the hostile corpus, `Value::Null` where the folder is missing.
pub(crate) fn fixtures() -> Value {
    shared("hostile").map_or(Value::Null, |folder| {
        read_json(&folder.join("index.json"))["fixtures"].clone()
    })
}

/// A document too big to store: `nest`, `attrs` or `repeat`.
pub(crate) fn generate(generator: &Value) -> String {
    let part = |name: &str| generator[name].as_str().unwrap_or_default();
    let count = generator["count"]
        .as_u64()
        .expect("a generator has a count");
    let count = usize::try_from(count).expect("a count fits");
    let middle = match part("kind") {
        "nest" => part("open").repeat(count) + part("middle") + &part("close").repeat(count),
        "attrs" => (0..count)
            .map(|n| part("attr").replace("%d", &n.to_string()))
            .collect(),
        "repeat" => part("unit").repeat(count),
        other => panic!("an unknown generator: {other}"),
    };
    format!("{}{middle}{}", part("prefix"), part("suffix"))
}

/// The folder `name` of the shared corpora, or `None` after saying so.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = env::var_os("CASQUE_SHARED").map_or_else(beside, PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        env::var_os("CI").is_none(),
        "no corpus at {}",
        folder.display()
    );
    // Written past the harness, which would hide it where the test passes.
    writeln!(
        std::io::stderr(),
        "skipped: no corpus at {}",
        folder.display()
    )
    .expect("standard error can be written");
    None
}

/// Hold an outcome against an expectation, member by member; `class_any_of` gives a choice of classes.
pub(crate) fn compare(outcome: &Value, expected: &Value) -> Result<(), String> {
    let agrees = |(key, value): (&String, &Value)| match key.as_str() {
        "class_any_of" => value
            .as_array()
            .is_some_and(|classes| classes.contains(&outcome["class"])),
        _ => outcome[key] == *value,
    };
    if expected
        .as_object()
        .expect("an expectation is an object")
        .iter()
        .all(agrees)
    {
        return Ok(());
    }
    Err(format!("expected {expected}, got {outcome}"))
}

/// Collects what failed, so that one run names every failing row.
#[derive(Debug, Default)]
pub(crate) struct Report {
    checked: usize,
    failures: Vec<String>,
}

impl Report {
    /// Compare one outcome with what is expected of the row `name`.
    pub(crate) fn check<T: PartialEq + std::fmt::Debug>(
        &mut self,
        name: &str,
        actual: &T,
        expected: &T,
    ) {
        self.checked += 1;
        if actual != expected {
            self.failures.push(format!(
                "{name}\n    expected {expected:?}\n    actual   {actual:?}"
            ));
        }
    }

    /// Note that the row `name` was checked, and failed if `problem` says how.
    pub(crate) fn note(&mut self, name: &str, problem: Result<(), String>) {
        self.checked += 1;
        if let Err(problem) = problem {
            self.failures.push(format!("{name}: {problem}"));
        }
    }

    /// Fail if a row failed, or if there should have been rows and there were none.
    pub(crate) fn finish(self, expect_rows: bool) {
        println!("{} rows checked", self.checked);
        assert!(!expect_rows || self.checked > 0, "no row was checked");
        assert!(
            self.failures.is_empty(),
            "{} of {} rows failed:\n{}",
            self.failures.len(),
            self.checked,
            self.failures.join("\n")
        );
    }
}

fn read_vectors(folder: &Path, kind: &str) -> Vec<Vector> {
    let index = read_json(&folder.join("index.json"));
    entries(&index, "vectors")
        .iter()
        .filter(|entry| entry["kind"] == kind)
        .map(|entry| {
            let tolerance = &entry["with_tolerance"];
            Vector {
                name: text(entry, "name"),
                bytes: read(&folder.join(text(entry, "file"))),
                input: entry["input"].clone(),
                expect: entry["expect"].clone(),
                with_tolerance: tolerance
                    .is_object()
                    .then(|| (text(tolerance, "name"), tolerance["expect"].clone())),
            }
        })
        .collect()
}

fn entries<'a>(index: &'a Value, name: &str) -> &'a [Value] {
    index[name]
        .as_array()
        .expect("an index has a list of entries")
}

fn text(entry: &Value, name: &str) -> String {
    entry[name]
        .as_str()
        .unwrap_or_else(|| panic!("{entry} has no {name}"))
        .to_owned()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&read(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
