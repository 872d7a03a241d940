//! Settings from the environment or a `.env` file, as the seed has them.

use std::collections::BTreeMap;
use std::path::Path;

use url::Url;

use crate::error::CasError;

/// The settings an application is usually given: `CAS_PROVIDER`, `SERVICE_URL` and `LOGIN_URL`.
///
/// ```
/// use casque_app::Settings;
///
/// let file = r#"
/// CAS_PROVIDER="https://cas.example.com/"
/// SERVICE_URL="https://app.example.org"
/// LOGIN_URL="https://app.example.org/login"
/// "#;
/// let settings = Settings::parse(file, |_| None)?;
/// assert_eq!(settings.provider(), "https://cas.example.com");
/// assert_eq!(settings.base(), "https://app.example.org");
/// assert_eq!(settings.login_path(), "/login");
/// # Ok::<(), casque_app::CasError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    provider: String,
    base: String,
    login_path: String,
}

impl Settings {
    /// Reads the environment of the process, and the file `.env` in the current folder for what
    /// the environment does not say.
    ///
    /// # Errors
    ///
    /// [`CasError`] naming the setting, its value and what to change.
    pub fn from_env() -> Result<Self, CasError> {
        let file = match std::fs::read_to_string(Path::new(".env")) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(CasError::setting(
                    ".env",
                    "",
                    &format!("the file cannot be read: {error}"),
                    "make it a readable text file in UTF-8, or remove it",
                ));
            }
        };
        Self::parse(&file, |name| std::env::var(name).ok())
    }

    /// Reads the text of a `.env` file; `environment` wins where it has a value.
    ///
    /// # Errors
    ///
    /// [`CasError`] naming the setting, its value and what to change.
    pub fn parse(
        file: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, CasError> {
        let file = parse_dotenv(file)?;
        let lookup = |name: &str| {
            environment(name)
                .or_else(|| file.get(name).cloned())
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let required = |name: &'static str, example: &str| {
            lookup(name).ok_or_else(|| {
                CasError::setting(
                    name,
                    "",
                    "it is not set",
                    &format!(
                        "set it in the environment or in .env, for example {name}=\"{example}\""
                    ),
                )
            })
        };
        let provider = required("CAS_PROVIDER", "https://cas.example.org/cas")?;
        let service = required("SERVICE_URL", "https://app.example.org")?;
        let login = lookup("LOGIN_URL");

        let provider = plain_url("CAS_PROVIDER", &provider)?;
        let (base, login_path) = own_addresses(&service, login.as_deref())?;
        Ok(Self {
            provider: without_slash(provider.as_str()).to_owned(),
            base,
            login_path,
        })
    }

    /// Base URL of the CAS server, without a trailing slash.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The application's own base URL (origin and path prefix), without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The path below [`base`](Self::base) that starts a login and that the browser comes back to.
    /// Its URL is the one service for login *and* validation (R-108).
    pub fn login_path(&self) -> &str {
        &self.login_path
    }
}

/// Works out which addresses `SERVICE_URL` and `LOGIN_URL` mean.
///
/// The seed sends `LOGIN_URL` as the service at login and `SERVICE_URL` at validation, which a
/// strict CAS server refuses. What was meant is one service, the login page of that application.
fn own_addresses(service: &str, login: Option<&str>) -> Result<(String, String), CasError> {
    let service_url = plain_url("SERVICE_URL", service)?;
    let Some(login) = login else {
        let path = service_url.path().trim_end_matches('/');
        return Ok(match path {
            "" => (origin_of(&service_url), "/login".to_owned()),
            path => (origin_of(&service_url), path.to_owned()),
        });
    };
    let login_url = plain_url("LOGIN_URL", login)?;
    if service_url.origin() != login_url.origin() {
        return Err(CasError::TwoOrigins {
            service_url: service.to_owned(),
            login_url: login.to_owned(),
            difference: difference(&service_url, &login_url),
            suggestion: format!("{}{}", origin_of(&service_url), login_url.path()),
        });
    }
    let login_path = login_url.path();
    if login_path == "/" {
        return Err(CasError::setting(
            "LOGIN_URL",
            login,
            "it is the homepage, but every request to it would start a login",
            &format!(
                "give the login page a path of its own, for example LOGIN_URL=\"{}/login\"",
                origin_of(&login_url)
            ),
        ));
    }
    let prefix = service_url.path().trim_end_matches('/');
    if prefix == login_path {
        return Ok((origin_of(&service_url), login_path.to_owned()));
    }
    match login_path.strip_prefix(prefix) {
        Some(rest) if rest.starts_with('/') => Ok((
            format!("{}{prefix}", origin_of(&service_url)),
            rest.to_owned(),
        )),
        _ => Err(CasError::setting(
            "LOGIN_URL",
            login,
            &format!("it does not lie below SERVICE_URL, which is \"{service}\""),
            &format!(
                "make SERVICE_URL the address of the application and LOGIN_URL a page of it, \
                 for example SERVICE_URL=\"{}\"",
                origin_of(&login_url)
            ),
        )),
    }
}

fn difference(service: &Url, login: &Url) -> String {
    if service.scheme() != login.scheme() {
        format!("{} and {}", service.scheme(), login.scheme())
    } else if service.host_str() != login.host_str() {
        format!(
            "host {} and host {}",
            service.host_str().unwrap_or_default(),
            login.host_str().unwrap_or_default()
        )
    } else {
        let port = |url: &Url| url.port_or_known_default().unwrap_or_default();
        format!("port {} and port {}", port(service), port(login))
    }
}

/// An absolute http(s) URL without credentials, query or fragment.
fn plain_url(name: &'static str, value: &str) -> Result<Url, CasError> {
    let example = "write it as in https://app.example.org/login";
    let url = Url::parse(value)
        .map_err(|error| CasError::setting(name, value, &format!("not a URL: {error}"), example))?;
    let fault = if !matches!(url.scheme(), "http" | "https") {
        "its scheme is neither https nor http"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it holds a user name or password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "it holds a query or a fragment"
    } else {
        return Ok(url);
    };
    Err(CasError::setting(name, value, fault, example))
}

fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn without_slash(text: &str) -> &str {
    text.trim_end_matches('/')
}

/// Reads `NAME=value` lines: blank lines, `#` comments, an `export` in front, single quotes
/// (literal) and double quotes (with `\n`, `\"`, `\\`, `\$`). A later line wins.
fn parse_dotenv(text: &str) -> Result<BTreeMap<String, String>, CasError> {
    let mut found = BTreeMap::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line
            .strip_prefix("export")
            .filter(|rest| rest.starts_with([' ', '\t']))
            .map_or(line, str::trim_start);
        // The line's text stays out of the message: it may hold a secret of the application.
        let fault = |what: &str| {
            CasError::setting(
                ".env",
                "",
                &format!("line {}: {what}", index + 1),
                "write NAME=value or NAME=\"value\", one a line",
            )
        };
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| fault("there is no `=`"))?;
        let name = name.trim();
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(named) {
            return Err(fault("the name before `=` is not a setting's name"));
        }
        let value = value_of(value.trim()).ok_or_else(|| fault("a quote is not closed"))?;
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

fn value_of(text: &str) -> Option<String> {
    match text.chars().next() {
        Some('\'') => {
            let (value, rest) = text[1..].split_once('\'')?;
            nothing_after(rest).then(|| value.to_owned())
        }
        Some('"') => {
            let mut value = String::new();
            let mut chars = text[1..].char_indices();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => return nothing_after(&text[1 + at + 1..]).then_some(value),
                    '\\' => match chars.next()?.1 {
                        'n' => value.push('\n'),
                        escaped @ ('"' | '\\' | '$') => value.push(escaped),
                        other => value.extend(['\\', other]),
                    },
                    c => value.push(c),
                }
            }
            None
        }
        _ => {
            let comment = text.find(" #").or_else(|| text.find("\t#"));
            let value = comment.map_or(text, |at| &text[..at]);
            Some(
                if value.starts_with('#') {
                    ""
                } else {
                    value.trim_end()
                }
                .to_owned(),
            )
        }
    }
}

fn nothing_after(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(file: &str) -> Result<Settings, CasError> {
        Settings::parse(file, |_| None)
    }

    fn three(provider: &str, service: &str, login: &str) -> Result<Settings, CasError> {
        parse(&format!(
            "CAS_PROVIDER={provider}\nSERVICE_URL={service}\nLOGIN_URL={login}\n"
        ))
    }

    #[test]
    fn a_file_of_the_seeds_shape_gives_one_service() {
        let file = "# CAS service URL\n\
            CAS_PROVIDER=\"https://cas.example.com/\"\n\
            # Your service URL (don't forget to authorize this service your CAS service)\n\
            SERVICE_URL=\"http://localhost:5000\"\n\
            # URL where user will be redirect after successfully logged on CAS\n\
            LOGIN_URL=\"http://localhost:5000/login\"\n";
        let settings = parse(file).unwrap();
        assert_eq!(settings.provider(), "https://cas.example.com");
        assert_eq!(settings.base(), "http://localhost:5000");
        assert_eq!(settings.login_path(), "/login");
    }

    #[test]
    fn the_seeds_literal_ports_are_two_origins() {
        let error = three(
            "https://cas.example.com/",
            "http://localhost:5000",
            "http://localhost:8000/login",
        )
        .unwrap_err()
        .to_string();
        for part in [
            "SERVICE_URL",
            "LOGIN_URL",
            "http://localhost:5000",
            "http://localhost:8000/login",
            "port 5000 and port 8000",
            "LOGIN_URL=\"http://localhost:5000/login\"",
        ] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }

    type Addresses = (&'static str, &'static str);

    #[test]
    fn table_of_addresses() {
        // SERVICE_URL, LOGIN_URL, base and login path, or a part of the message.
        let rows: &[(&str, &str, Result<Addresses, &str>)] = &[
            (
                "https://a.org",
                "https://a.org/login",
                Ok(("https://a.org", "/login")),
            ),
            (
                "https://a.org/",
                "https://a.org/x/in",
                Ok(("https://a.org", "/x/in")),
            ),
            (
                "https://a.org:443",
                "https://a.org/login",
                Ok(("https://a.org", "/login")),
            ),
            (
                "https://a.org/w",
                "https://a.org/w/login",
                Ok(("https://a.org/w", "/login")),
            ),
            (
                "https://a.org/w/",
                "https://a.org/w/login",
                Ok(("https://a.org/w", "/login")),
            ),
            (
                "https://a.org/login",
                "https://a.org/login",
                Ok(("https://a.org", "/login")),
            ),
            ("https://a.org", "", Ok(("https://a.org", "/login"))),
            (
                "https://a.org/cas/callback",
                "",
                Ok(("https://a.org", "/cas/callback")),
            ),
            (
                "https://a.org/w",
                "https://a.org/ww/login",
                Err("does not lie below SERVICE_URL"),
            ),
            ("https://a.org", "https://a.org/", Err("it is the homepage")),
            ("https://a.org", "http://a.org/login", Err("https and http")),
            (
                "http://localhost:5000",
                "http://127.0.0.1:5000/login",
                Err("host localhost and host 127.0.0.1"),
            ),
            (
                "https://a.org/?x=1",
                "https://a.org/login",
                Err("a query or a fragment"),
            ),
            ("ftp://a.org", "https://a.org/login", Err("scheme")),
            ("https://u:p@a.org", "https://a.org/login", Err("user name")),
            ("app.example.org", "https://a.org/login", Err("not a URL")),
            ("", "https://a.org/login", Err("SERVICE_URL")),
        ];
        for (service, login, expected) in rows {
            let got = three("https://cas.example.org", service, login);
            match (expected, got) {
                (Ok((base, path)), Ok(settings)) => {
                    assert_eq!((settings.base(), settings.login_path()), (*base, *path));
                }
                (Err(part), Err(error)) => {
                    assert!(
                        error.to_string().contains(part),
                        "{service} {login}: {error}"
                    );
                }
                (expected, got) => panic!("{service} {login}: wanted {expected:?}, got {got:?}"),
            }
        }
    }

    #[test]
    fn the_environment_wins() {
        let file = "CAS_PROVIDER=https://one.org\nSERVICE_URL=https://a.org\n";
        let settings = Settings::parse(file, |name| {
            (name == "CAS_PROVIDER").then(|| "https://two.org/cas/".to_owned())
        })
        .unwrap();
        assert_eq!(settings.provider(), "https://two.org/cas");
    }

    #[test]
    fn dotenv_forms() {
        let rows = [
            ("A=b", Some("b")),
            ("export A=b", Some("b")),
            ("export\tA = b ", Some("b")),
            ("A='b # c'", Some("b # c")),
            ("A=\"b \\\"c\\\" \\\\ \\n\" # d", Some("b \"c\" \\ \n")),
            ("A=b # c", Some("b")),
            ("A=b#c", Some("b#c")),
            ("A=", Some("")),
            ("A=#c", Some("")),
            ("# A=b", None),
            ("A=1\nA=2\r", Some("2")),
            ("\u{feff}A=b\r\n", Some("b")),
        ];
        for (text, expected) in rows {
            let found = parse_dotenv(text).unwrap();
            assert_eq!(found.get("A").map(String::as_str), expected, "{text:?}");
        }
        for text in ["A", "=b", "A b=c", "A='b", "A=\"b", "A=\"b\\", "A='b' c"] {
            let error = parse_dotenv(text).unwrap_err().to_string();
            assert!(error.contains("line 1"), "{text:?}: {error}");
        }
    }
}
